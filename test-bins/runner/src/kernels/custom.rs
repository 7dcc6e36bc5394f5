//! `kernel`: builds a kernel that no distribution has, and keeps it beside those that are fetched.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use fs_err as fs;

use super::cache::{self, KERNEL, Slot};
use super::make::Make;
use super::recipe::{self, RECIPES, Recipe};
use super::source::Source;
use super::{install, mirror, tools};
use crate::exit;

/// Name of a kernel's configuration in the cache.
const CONFIGURATION: &str = "config";

/// Builds a small kernel with what distributions leave out, from their own source package.
#[derive(Debug, Args)]
#[command(
    after_help = "It takes 2 GB while it builds and 3 MB afterwards, in $XDG_CACHE_HOME/rseq (else ~/.cache/rseq). \
                        Interrupted, it goes on where it was.\n\
                        Exit codes: 0 it is there, 1 it could not be built, 2 usage error."
)]
pub struct KernelArgs {
    /// Its name, as `boot --kernel` takes it
    #[arg(value_name = "KERNEL", default_value = "7.2-slice")]
    pub name: String,

    /// Commands at a time (default: one a CPU)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: Option<u32>,

    /// Take the source from this Debian mirror, not from the one in the system's sources
    #[arg(long, value_name = "URI")]
    pub mirror: Option<String>,

    /// Build it again, from the newest source package
    #[arg(long)]
    pub refresh: bool,

    /// Leave source and objects where they are
    #[arg(long)]
    pub keep: bool,
}

/// Builds what the options ask for.
pub fn run(args: &KernelArgs) -> ExitCode {
    let Some(recipe) = recipe::find(&args.name) else {
        let names = RECIPES.iter().map(|recipe| recipe.line).collect::<Vec<_>>().join(", ");
        return exit::stop(2, format_args!("no kernel to build is called '{}': there are {names}", args.name));
    };
    if recipe.machine != std::env::consts::ARCH {
        return exit::stop(2, format_args!("{} is built on {} only", recipe.line, recipe.machine));
    }
    exit::finish(build(recipe, args))
}

fn build(recipe: &Recipe, args: &KernelArgs) -> anyhow::Result<()> {
    let cache = cache::directory()?;
    let slot = Slot::new(&cache, recipe.machine, recipe.line);
    if let Some(release) = built(recipe, &slot).filter(|_| !args.refresh) {
        note!("{} is there: {release}; {}", recipe.line, boot_command(recipe));
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
    note!("built {release}; {}", boot_command(recipe));
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
