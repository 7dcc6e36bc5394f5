//! The links of the repository's Markdown files lead somewhere: to a file and a heading, for readers of the repository;
//! and to a page of rustdoc, for readers of rseq-core's documentation, which includes its README and its manual.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use pulldown_cmark::{BrokenLink, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd};

/// The one list of rustdoc's targets, which is no page.
const RUSTDOC: &str = "rseq-core/docs/links.md";

/// The same for the plots of one page.
const PLOTS: &str = "rseq-core/docs/performance/plots.md";

/// Written by the runner, with what programs print: there brackets are no references.
const PRINTED: &str = "test-bins/HOSTS.md";

struct Link {
    target: String,
    is_inline: bool,
}

#[derive(Default)]
struct Page {
    links: Vec<Link>,
    /// Labels and targets.
    definitions: BTreeMap<String, String>,
    /// References without a definition, which show their brackets.
    undefined: Vec<String>,
    /// As the part of an address after `#`.
    headings: Vec<String>,
}

impl Page {
    fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let note = |link: BrokenLink<'_>| -> Option<(CowStr<'_>, CowStr<'_>)> {
            page.undefined.push(link.reference.to_string());
            None
        };
        let parser = Parser::new_with_broken_link_callback(text, Options::ENABLE_TABLES, Some(note));
        let definitions = parser.reference_definitions().iter();
        page.definitions = definitions.map(|(label, to)| (label.to_lowercase(), to.dest.to_string())).collect();
        let mut heading = None;
        for event in parser {
            match event {
                Event::Start(Tag::Link { link_type, dest_url, .. } | Tag::Image { link_type, dest_url, .. }) => {
                    let is_inline = link_type == LinkType::Inline;
                    page.links.push(Link { target: dest_url.to_string(), is_inline });
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.headings.extend(heading.take().map(|text| anchor(&text))),
                Event::Text(part) | Event::Code(part) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&part);
                    }
                }
                _ => {}
            }
        }
        page
    }

    /// The targets of its links, and of its definitions, whether used or not.
    fn targets(&self) -> impl Iterator<Item = &str> {
        self.links.iter().map(|link| &*link.target).chain(self.definitions.values().map(|target| &**target))
    }
}

/// GitHub's and rustdoc's name for a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|&char| char.is_alphanumeric() || "-_".contains(char)).collect()
}

/// On another host.
fn is_far(target: &str) -> bool {
    ["https://", "http://", "data:"].iter().any(|scheme| target.starts_with(scheme))
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// The committed Markdown files, by their paths in the repository; none if this is no clone.
fn pages() -> BTreeMap<PathBuf, Page> {
    let mut git = Command::new("git");
    let git = git.current_dir(repository()).args(["-c", "safe.directory=*", "ls-files", "-z", "*.md"]);
    let files = match git.output() {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).expect("names are UTF-8"),
        _ => {
            // Past the harness, which shows the output of failed tests only.
            writeln!(std::io::stderr(), "skipped: git does not list the files").unwrap_or_default();
            return BTreeMap::new();
        }
    };
    let read = |name: &str| Page::parse(&fs::read_to_string(repository().join(name)).expect("git lists what is there"));
    files.split_terminator('\0').map(|name| (PathBuf::from(name), read(name))).collect()
}

/// Whether rustdoc includes the page.
fn is_in_rustdoc(path: &Path) -> bool {
    let is_list = [RUSTDOC, PLOTS].iter().any(|list| path == Path::new(list));
    path == Path::new("rseq-core/README.md") || path.starts_with("rseq-core/docs") && !is_list
}

/// Why a reader of the file does not arrive.
fn obstacle(path: &Path, page: &Page, target: &str) -> Option<String> {
    let (file, heading) = target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
    let to = repository().join(path).with_file_name(file);
    if !file.is_empty() && !to.exists() {
        return Some("no such file".into());
    }
    let heading = heading?;
    let read = |to: &Path| Page::parse(&fs::read_to_string(to).expect("the target is text")).headings;
    let headings = if file.is_empty() { page.headings.clone() } else { read(&to) };
    (!headings.iter().any(|one| one == heading)).then(|| format!("no such heading; there are {}", headings.join(", ")))
}

fn assert_empty(what: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{what}:\n{}", faults.join("\n"));
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut faults = Vec::new();
    for (path, page) in pages().iter().filter(|(path, _)| *path != Path::new(RUSTDOC)) {
        for target in page.targets().filter(|target| !is_far(target)) {
            let fault = obstacle(path, page, target).map(|why| format!("{}: {target}: {why}", path.display()));
            faults.extend(fault);
        }
    }
    assert_empty("links that lead nowhere", &faults);
}

#[test]
fn references_are_defined() {
    let of_page = |(path, page): (&PathBuf, &Page)| -> Vec<_> {
        page.undefined.iter().map(|label| format!("{}: [{label}]", path.display())).collect()
    };
    let pages = pages();
    let faults: Vec<_> = pages.iter().filter(|(path, _)| *path != Path::new(PRINTED)).flat_map(of_page).collect();
    assert_empty("references without a definition in their file", &faults);
}

#[test]
fn rustdoc_has_a_target_for_each_reference() {
    let pages = pages();
    if pages.is_empty() {
        return;
    }
    let [rustdoc, plots] = [RUSTDOC, PLOTS].map(|list| &pages[Path::new(list)].definitions);
    let included: Vec<_> = pages.iter().filter(|(path, _)| is_in_rustdoc(path)).collect();
    let mut faults = Vec::new();
    for (path, page) in &included {
        let path = path.display();
        let near = page.definitions.iter().filter(|(_, target)| !is_far(target));
        let missing = near.filter(|(label, _)| !rustdoc.contains_key(*label) && !plots.contains_key(*label));
        faults.extend(missing.map(|(label, _)| format!("{path}: [{label}] is not in {RUSTDOC}")));
        let inline = page.links.iter().filter(|link| link.is_inline && !is_far(&link.target));
        let inline = inline.filter(|link| !link.target.starts_with('#'));
        faults
            .extend(inline.map(|link| format!("{path}: ({}) is no reference: rustdoc cannot replace it", link.target)));
    }
    let is_used = |label: &String| included.iter().any(|(_, page)| page.definitions.contains_key(label));
    let unused = rustdoc.keys().filter(|label| !is_used(label));
    faults.extend(unused.map(|label| format!("{RUSTDOC}: no page defines [{label}]")));
    assert_empty("links that rustdoc does not follow", &faults);
}
