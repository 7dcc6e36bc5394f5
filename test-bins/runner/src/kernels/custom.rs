//! `kernel`: builds a kernel that no distribution has, and keeps it beside those that are fetched.

use std::path::Path;
use std::process::ExitCode;

use fs_err as fs;

use super::cache::{self, KERNEL, Slot};
use super::make::Make;
use super::recipe::{self, RECIPES, Recipe};
use super::source::Source;
use super::{install, mirror, tools};
use crate::boot::KernelArgs;
use crate::exit;

/// Name of a kernel's configuration in the cache.
const CONFIGURATION: &str = "config";

/// Builds what the options ask for.
pub fn run(args: &KernelArgs) -> ExitCode {
    let Some(recipe) = recipe::find(&args.name) else {
        let names = RECIPES.iter().map(|recipe| recipe.line).collect::<Vec<_>>().join(", ");
        return exit::stop(2, format_args!("no kernel to build is called '{}': there are {names}", args.name));
    };
    if recipe.machine != std::env::consts::ARCH {
        return exit::stop(2, format_args!("{} is built on {} only", recipe.line, recipe.machine));
    }
    exit::finish(build(recipe, args), 1)
}

fn build(recipe: &Recipe, args: &KernelArgs) -> anyhow::Result<()> {
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
    fs::create_dir_all(&directory)?;
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

fn source(recipe: &Recipe, args: &KernelArgs, directory: &Path) -> anyhow::Result<Source> {
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
fn keep(recipe: &Recipe, make: &Make, source: &Source, slot: &Slot, work: &Path) -> anyhow::Result<String> {
    let release = make.release()?;
    fs::create_dir_all(work)?;
    fs::copy(make.output.join(recipe.image), work.join(KERNEL))?;
    fs::copy(make.output.join(".config"), work.join(CONFIGURATION))?;
    slot.fill(work, &release, vec![source.package.clone()], &source.suite)?;
    Ok(release)
}

fn boot_command(recipe: &Recipe) -> String {
    format!("cargo run --release -- boot --arch {} --kernel {}", recipe.machine, recipe.line)
}
