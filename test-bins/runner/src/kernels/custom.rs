//! `kernel`: builds a kernel that no distribution has, and keeps it beside those that are fetched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::cache::{self, KERNEL, Slot};
use super::make::Make;
use super::recipe::{self, RECIPES, Recipe};
use super::source::Source;
use super::{install, mirror, tools};
use crate::cmd::KernelArgs;

/// Name of a kernel's configuration in the cache.
const CONFIGURATION: &str = "config";

/// Builds what the options ask for.
pub fn run(args: &KernelArgs) -> ExitCode {
    let Some(recipe) = recipe::find(&args.name) else {
        let names: Vec<_> = RECIPES.iter().map(|recipe| recipe.line).collect();
        return crate::cmd::stop(
            2,
            &format!("no kernel to build is called '{}': there are {}", args.name, names.join(", ")),
        );
    };
    if recipe.machine != std::env::consts::ARCH {
        return crate::cmd::stop(2, &format!("{} is built on {} only", recipe.line, recipe.machine));
    }
    match build(recipe, args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => crate::cmd::stop(1, &message),
    }
}

fn build(recipe: &Recipe, args: &KernelArgs) -> Result<(), String> {
    let cache = cache::directory()?;
    let slot = Slot::new(&cache, recipe.machine, recipe.line);
    if let Some(release) = built(recipe, &slot).filter(|_| !args.refresh) {
        eprintln!("{} is there: {release}; {}", recipe.line, boot_command(recipe));
        return Ok(());
    }
    tools::get()?;
    let directory = cache.join("build").join(recipe.line);
    if args.refresh {
        let _ = fs::remove_dir_all(&directory);
    }
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let source = source(recipe, args, &directory)?;
    let jobs = args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |count| count.get() as u32));
    let make = Make { tree: &source.tree, output: directory.join("out"), log: directory.join("log"), jobs };
    make.configure(recipe)?;
    make.build(recipe.target)?;
    let release = keep(recipe, &make, &source, &slot, &directory.join("new"))?;
    if !args.keep {
        let _ = fs::remove_dir_all(&directory);
    }
    eprintln!("built {release}; {}", boot_command(recipe));
    Ok(())
}

fn source(recipe: &Recipe, args: &KernelArgs, directory: &Path) -> Result<Source, String> {
    install::check_apt()?;
    let mirror = args.mirror.clone().map_or_else(mirror::of_this_system, Ok)?;
    Source::get(recipe, directory, &mirror)
}

/// The release of the kernel in the cache, if it is whole and has what the recipe asks for by now.
fn built(recipe: &Recipe, slot: &Slot) -> Option<String> {
    let manifest = slot.manifest().filter(|manifest| slot.verify(manifest).is_ok())?;
    let configuration = fs::read_to_string(slot.file(CONFIGURATION)).ok()?;
    recipe.unmet(&configuration).is_empty().then_some(manifest.release)
}

/// Moves image and configuration into the cache; returns the kernel's release.
fn keep(recipe: &Recipe, make: &Make, source: &Source, slot: &Slot, work: &Path) -> Result<String, String> {
    let release = make.release()?;
    fs::create_dir_all(work).map_err(|error| format!("{}: {error}", work.display()))?;
    let copy = |from: PathBuf, name: &str| {
        fs::copy(&from, work.join(name)).map_err(|error| format!("{}: {error}", from.display()))
    };
    copy(make.output.join(recipe.image), KERNEL)?;
    copy(make.output.join(".config"), CONFIGURATION)?;
    slot.fill(work, &release, vec![source.package.clone()], &source.suite)?;
    Ok(release)
}

fn boot_command(recipe: &Recipe) -> String {
    format!("cargo run --release -- boot --arch {} --kernel {}", recipe.machine, recipe.line)
}
