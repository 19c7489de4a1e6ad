//! The README and the manuals are true: the commands that they show are run, the outputs compared,
//! JSON validated, links followed, options looked for. Prose is not checked.
//!
//! The words after a code block's fence say what it is:
//!
//! - `sh`: commands. The block runs in a folder that belongs to the document, and must succeed.
//! - `console`: a session. `$ ` begins a command, `> ` continues it, and what stands below is what
//!   it prints to both streams. A command that fails is followed by `$ echo $?`.
//! - `json NAME`, or `yaml`, `csv` or `jq`: a file. It is compared where a command has written it,
//!   otherwise it is written for a command below.
//! - `json`: an example. An invocation must pass validation, an output or event its schema.
//! - `text`, `mermaid`, `rust`, `yaml`, and `bash` and `python` for other engines: not checked here.
//!
//! A command that ends in ` &` is a server, perhaps with others behind it in a pipe: it has started when
//! it prints `"listening"`, its port is replaced by a free one, and it is stopped at the end of the
//! document. In expected output, `…`
//! matches anything.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use line_connector_client::Catalog;
use line_connector_core::schema::Schema;
use serde_json::{Map, Value};

use crate::world::run;

/// Commands that no test can run, and why.
const NOT_RUN: [(&str, &str); 2] = [
    ("cargo test", "it would run itself; CI runs this line"),
    (
        "cargo install --path .",
        "a release build; cargo has made the test's binary",
    ),
];

/// Numbers that differ from run to run; what is compared is that they are there.
const VOLATILE: [&str; 4] = ["accepted_ms", "elapsed_ms", "latency_ms", "timestamp"];

/// A document of the project.
struct Document {
    /// Its path from the root.
    name: String,
    text: String,
}

/// A fenced block of a document.
struct Block {
    /// The line of its fence, from 1.
    line: usize,
    /// The first word after the fence.
    language: String,
    /// The second.
    file: Option<String>,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The README and the manuals, in order.
fn documents() -> Vec<Document> {
    let manuals = fs::read_dir(root().join("docs")).unwrap();
    let manuals = manuals.map(|entry| format!("docs/{}", entry.unwrap().file_name().display()));
    let mut names: Vec<String> = manuals.collect();
    names.push("README.md".to_owned());
    names.sort();
    let read = |name: String| Document {
        text: fs::read_to_string(root().join(&name)).unwrap(),
        name,
    };
    names.into_iter().map(read).collect()
}

impl Document {
    fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (index, line) in self.text.lines().enumerate() {
            let Some(info) = line.trim_start().strip_prefix("```") else {
                if let Some(block) = &mut open {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                continue;
            };
            if let Some(block) = open.take() {
                blocks.push(block);
                continue;
            }
            let mut words = info.split_whitespace().map(str::to_owned);
            open = Some(Block {
                line: index + 1,
                language: words.next().unwrap_or_default(),
                file: words.next(),
                text: String::new(),
            });
        }
        assert!(open.is_none(), "{}: a code block is not closed", self.name);
        blocks
    }

    /// The text without its code blocks.
    fn prose(&self) -> String {
        let mut code = false;
        let lines = self.text.lines().filter(|line| {
            let fence = line.trim_start().starts_with("```");
            code ^= fence;
            !code && !fence
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// All values of a text that is nothing but JSON.
fn json_values(text: &str) -> Option<Vec<Value>> {
    let values = serde_json::Deserializer::from_str(text).into_iter();
    values.collect::<Result<Vec<Value>, _>>().ok()
}

/// Whether a text fits one in which `…` stands for anything.
fn text_fits(shown: &str, found: &str) -> bool {
    let Some((head, tail)) = shown.split_once('…') else {
        return shown == found;
    };
    found.strip_prefix(head).is_some_and(|rest| {
        let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
        ends.any(|at| text_fits(tail, &rest[at..]))
    })
}

/// Whether a value fits one that is shown: `"…"` stands for any value, as a member's name or as the
/// last item for any others.
fn value_fits(shown: &Value, found: &Value) -> bool {
    match (shown, found) {
        (Value::String(shown), _) if shown == "…" => true,
        (Value::String(shown), Value::String(found)) => text_fits(shown, found),
        (Value::Object(shown), Value::Object(found)) => {
            let members = shown.iter().filter(|(name, _)| *name != "…");
            let fits = |(name, shown): (&String, &Value)| {
                let volatile = VOLATILE.contains(&name.as_str());
                found
                    .get(name)
                    .is_some_and(|found| volatile || value_fits(shown, found))
            };
            let cut = shown.contains_key("…");
            members.clone().all(fits) && (cut || found.keys().all(|name| shown.contains_key(name)))
        }
        (Value::Array(shown), Value::Array(found)) => {
            let cut = shown.last().is_some_and(|last| last == "…");
            let shown = &shown[..shown.len() - usize::from(cut)];
            let enough = shown.len() == found.len() || (cut && shown.len() < found.len());
            enough
                && shown
                    .iter()
                    .zip(found)
                    .all(|(shown, found)| value_fits(shown, found))
        }
        (shown, found) => shown == found,
    }
}

/// Whether both are JSON, value by value; `None` where one of them is not.
fn json_fits(shown: &str, found: &str) -> Option<bool> {
    let (shown, found) = (json_values(shown)?, json_values(found)?);
    let mut pairs = shown.iter().zip(&found);
    Some(shown.len() == found.len() && pairs.all(|(shown, found)| value_fits(shown, found)))
}

/// Whether what was printed is what is shown: as JSON where both are, otherwise line by line, where
/// a line `…` stands for any number of lines.
fn output_fits(shown: &str, found: &str) -> bool {
    json_fits(shown, found).unwrap_or_else(|| {
        let shown: Vec<&str> = shown.trim_end().lines().collect();
        let found: Vec<&str> = found.trim_end().lines().collect();
        lines_fit(&shown, &found)
    })
}

fn lines_fit(shown: &[&str], found: &[&str]) -> bool {
    match shown.split_first() {
        None => found.is_empty(),
        Some((&"…", rest)) => (0..=found.len()).any(|from| lines_fit(rest, &found[from..])),
        Some((first, rest)) => found.split_first().is_some_and(|(line, others)| {
            json_fits(first, line).unwrap_or_else(|| text_fits(first, line))
                && lines_fit(rest, others)
        }),
    }
}

/// Runs one document from top to bottom, in a folder of its own.
mod session {
    use std::io::{BufRead as _, BufReader, Read};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command, Stdio};
    use std::sync::mpsc::{self, Sender};
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, kill_process_group};

    use super::{Block, Path, Value, fs, output_fits};

    /// How long a server may take to start, or to write what is awaited, before the test gives up.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A port on which nobody listens.
    const NOBODY: &str = "127.0.0.1:9";

    /// A command that runs until the document ends.
    struct Server(Child);

    impl Drop for Server {
        fn drop(&mut self) {
            let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = self.0.wait();
        }
    }

    pub(super) struct Session {
        // First, so that they are stopped before their folder is removed.
        servers: Vec<Server>,
        folder: tempfile::TempDir,
        /// The addresses that the document names, and those that the servers really have.
        addresses: Vec<(String, String)>,
        /// The last command's exit code.
        code: i32,
    }

    impl Session {
        pub(super) fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            // An HTTP error makes curl fail, and with it the command.
            fs::write(folder.path().join(".curlrc"), "fail-with-body\n").unwrap();
            Self {
                servers: Vec::new(),
                folder,
                addresses: Vec::new(),
                code: 0,
            }
        }

        /// A shell that has the binary of the tests, and nothing else of the environment.
        fn shell(&self, script: &str) -> Command {
            let binary = Path::new(env!("CARGO_BIN_EXE_line-connector"));
            let inherited = std::env::var_os("PATH").unwrap_or_default();
            let folders = binary.parent().map(Path::to_owned).into_iter();
            let folders = folders.chain(std::env::split_paths(&inherited));
            let mut command = Command::new("sh");
            command
                .args(["-uc", script])
                .current_dir(self.folder.path())
                .env_clear()
                .env("HOME", self.folder.path())
                .env("PATH", std::env::join_paths(folders).unwrap())
                .stdin(Stdio::null());
            command
        }

        /// The text with the real addresses, and with the binary that cargo has built.
        fn fill(&self, text: &str) -> String {
            let text = text.replace("cargo run --quiet -- ", "line-connector ");
            let mut parts = text.split("127.0.0.1:");
            let mut filled = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let digits = part.chars().take_while(char::is_ascii_digit).count();
                let documented = format!("127.0.0.1:{}", &part[..digits]);
                let known = self.addresses.iter().find(|(name, _)| *name == documented);
                filled.push_str(known.map_or(NOBODY, |(_, real)| real));
                filled.push_str(&part[digits..]);
            }
            filled
        }

        /// Runs a script to its end: its exit code, and what it printed to both streams.
        fn run(&self, script: &str) -> (i32, String) {
            let output = self.shell(script).output().expect("a shell");
            let text = String::from_utf8(output.stdout).expect("UTF-8");
            (output.status.code().unwrap_or(-1), text)
        }

        /// `sh`: the lines in order, each server started where it stands.
        pub(super) fn commands(&mut self, block: &Block, place: &str) {
            let mut waiting = String::new();
            for line in block.text.lines().chain([" &"]) {
                let Some(server) = line.strip_suffix(" &") else {
                    waiting.push_str(line);
                    waiting.push('\n');
                    continue;
                };
                let script = format!("exec 2>&1\nset -e\n{}", self.fill(&waiting));
                let (code, text) = self.run(&script);
                assert!(code == 0, "{place}: exit code {code}\n{script}\n{text}");
                waiting.clear();
                if !server.is_empty() {
                    self.start(server, place);
                }
            }
        }

        /// `console`: each command, and below it what it prints.
        pub(super) fn console(&mut self, block: &Block, place: &str) {
            let mut steps: Vec<(String, String)> = Vec::new();
            for line in block.text.lines() {
                if let Some(command) = line.strip_prefix("$ ") {
                    steps.push((command.to_owned(), String::new()));
                    continue;
                }
                let (command, shown) = steps.last_mut().expect("a session begins with `$ `");
                let (into, line) = match line.strip_prefix("> ") {
                    Some(more) if shown.is_empty() => (command, more),
                    _ => (shown, line),
                };
                into.push('\n');
                into.push_str(line);
            }
            for (index, (command, shown)) in steps.iter().enumerate() {
                let script = format!("exec 2>&1\n(exit {})\n{}", self.code, self.fill(command));
                let (code, text) = self.run(&script);
                self.code = code;
                let told = steps
                    .get(index + 1)
                    .is_some_and(|(next, _)| next == "echo $?");
                assert!(
                    code == 0 || told,
                    "{place}: `{command}` ends with {code}:\n{text}"
                );
                let shown = self.fill(shown.trim_start());
                assert!(
                    output_fits(&shown, &text),
                    "{place}: `{command}` prints\n{text}\nand not\n{shown}"
                );
            }
        }

        /// `json NAME` and its like: what a command has written is compared; otherwise it is written for a command
        /// in `below`.
        pub(super) fn file(&self, block: &Block, name: &str, below: &[Block], place: &str) {
            let path = self.folder.path().join(name);
            let shown = self.fill(&block.text);
            if !path.exists() {
                let read = below.iter().any(|block| block.text.contains(name));
                assert!(read, "{place}: no command writes {name}, and none reads it");
                fs::write(path, shown).unwrap();
                return;
            }
            // A server may still be writing it.
            let given_up = Instant::now() + PATIENCE;
            loop {
                let found = fs::read_to_string(&path).unwrap();
                if output_fits(&shown, &found) {
                    return;
                }
                assert!(
                    !self.servers.is_empty() && Instant::now() < given_up,
                    "{place}: {name} holds\n{found}\nand not\n{shown}"
                );
                pause();
            }
        }

        /// Starts a server on a free port and waits until it says where it listens.
        fn start(&mut self, line: &str, place: &str) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let option = words
                .iter()
                .position(|word| ["--listen", "--address", "--http"].contains(word));
            let option = option.expect("a server has an address");
            let (option, documented) = (words[option], words[option + 1]);
            let (before, after) = line.split_once(&format!("{option} {documented}")).unwrap();
            let (before, after) = (self.fill(before), self.fill(after));
            let command = format!("{before}{option} 127.0.0.1:0{after}");
            // A group, so that all of a pipe is stopped and not its shell alone.
            let mut child = self
                .shell(&command)
                .process_group(0)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("a shell");
            let (lines, told) = mpsc::channel();
            read(child.stdout.take().unwrap(), lines.clone());
            read(child.stderr.take().unwrap(), lines);
            self.servers.push(Server(child));
            let mut said = String::new();
            loop {
                let line = told.recv_timeout(PATIENCE);
                let line = line.unwrap_or_else(|_| panic!("{place}: it did not start\n{said}"));
                let address = serde_json::from_str::<Value>(&line).ok();
                let url = address.as_ref().and_then(|told| told["listening"].as_str());
                if let Some(url) = url {
                    let host = url.trim_start_matches("http://").split('/').next();
                    let real = host.unwrap_or_default().to_owned();
                    self.addresses.push((documented.to_owned(), real));
                    return;
                }
                said.push_str(&line);
                said.push('\n');
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a test waits for a real process")]
    fn pause() {
        std::thread::sleep(Duration::from_millis(20));
    }

    /// Reads a stream to its end, so that its writer never waits.
    fn read(stream: impl Read + Send + 'static, lines: Sender<String>) {
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                // Nobody listens any more once the server has started.
                let _ = lines.send(line);
            }
        });
    }

    /// Whether a program that the manuals use beside ours is there.
    pub(super) fn has(program: &str) -> bool {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output();
        found.is_ok_and(|output| output.status.success())
    }
}

#[test]
fn what_a_reader_can_copy_runs_and_prints_what_is_shown() {
    let mut left_out: BTreeSet<&str> = BTreeSet::new();
    for document in documents() {
        let needed = ["curl", "jq"].map(|program| (program, format!("{program} ")));
        let missing = needed
            .iter()
            .find(|(program, used)| document.text.contains(used) && !session::has(program));
        if let Some((program, _)) = missing {
            eprintln!("{}: not run, there is no {program}", document.name);
            continue;
        }
        let mut session = session::Session::new();
        let blocks = document.blocks();
        for (index, block) in blocks.iter().enumerate() {
            let place = format!("{}:{}", document.name, block.line);
            let not_run = NOT_RUN
                .iter()
                .find(|(text, _)| *text == block.text.trim_end());
            match (block.language.as_str(), &block.file) {
                ("sh", _) if not_run.is_some() => left_out.extend(not_run.map(|(text, _)| *text)),
                ("sh", None) => session.commands(block, &place),
                ("console", None) => session.console(block, &place),
                ("json" | "yaml" | "csv" | "jq", Some(name)) => {
                    session.file(block, name, &blocks[index + 1..], &place);
                }
                ("json" | "text" | "mermaid" | "rust" | "yaml" | "bash" | "python", None) => {}
                _ => panic!("{place}: the comment of this module lists the kinds of blocks"),
            }
        }
    }
    assert_eq!(
        left_out.len(),
        NOT_RUN.len(),
        "only {left_out:?} is left out"
    );
}

#[test]
fn json_that_is_shown_is_what_it_claims_to_be() {
    let schema = |name: &str| {
        let text = fs::read_to_string(root().join("schemas").join(name)).unwrap();
        Schema::new(&serde_json::from_str(&text).unwrap(), Catalog::schema)
    };
    let (output, event) = (schema("output.json"), schema("event.json"));
    for document in documents() {
        for block in document.blocks() {
            if block.language != "json" {
                continue;
            }
            let place = format!("{}:{}", document.name, block.line);
            let values = json_values(&block.text);
            let values = values.unwrap_or_else(|| panic!("{place}: this is no JSON"));
            // Files are compared with what commands write, or read by commands.
            for mut value in values.into_iter().filter(|_| block.file.is_none()) {
                without_cuts(&mut value);
                let has = |name: &str| value.get(name).is_some();
                let violations = if has("inputs") || has("options") {
                    let ended = run(&["run", "--dry-run"], value.to_string().as_bytes(), &[]);
                    assert_eq!(ended.code, 0, "{place}: {}", ended.stderr);
                    continue;
                } else if has("status_code") || has("error") {
                    output.check(&value).violations
                } else if has("event") {
                    event.check(&value["event"]).violations
                } else {
                    continue;
                };
                assert!(violations.is_empty(), "{place}: {violations:?}");
            }
        }
    }
}

/// Takes away the members and items that say that something was left out.
fn without_cuts(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| name != "…");
            members.values_mut().for_each(without_cuts);
        }
        Value::Array(items) => {
            items.retain(|item| item != "…");
            items.iter_mut().for_each(without_cuts);
        }
        _ => {}
    }
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading
        .trim_start_matches('#')
        .trim()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        });
    kept.collect::<String>().to_lowercase()
}

#[test]
fn every_link_leads_somewhere() {
    for document in documents() {
        let prose = document.prose();
        let targets = prose
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("https://")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let own = root().join(&document.name);
            let path = match file {
                "" => own,
                file => own.parent().unwrap().join(file),
            };
            assert!(path.exists(), "{}: there is no {target}", document.name);
            if !heading.is_empty() {
                let text = fs::read_to_string(&path).unwrap();
                let found = text
                    .lines()
                    .any(|line| line.starts_with('#') && anchor(line) == heading);
                assert!(found, "{}: there is no {target}", document.name);
            }
        }
    }
}

/// The words of a help text that are options.
fn options(help: &str) -> BTreeSet<String> {
    let words = help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let options = words.filter(|word| word.starts_with("--") && word.len() > 2);
    options.map(str::to_owned).collect()
}

/// The commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let named = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    named
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_and_every_option_is_in_the_documents() {
    let every: Vec<Document> = documents();
    let text: String = every
        .iter()
        .map(|document| document.text.as_str())
        .collect();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let help = run(&["--help"], b"", &[]).stdout;
    let named = options(&text);
    let mut lines: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(line) = lines.pop() {
        let mut arguments: Vec<&str> = line.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = run(&arguments, b"", &[]).stdout;
        for option in options(&help) {
            assert!(
                named.contains(&option),
                "no document names `{option}` of {line:?}"
            );
        }
        for command in commands(&help) {
            lines.push(line.iter().cloned().chain([command]).collect());
        }
    }
    for command in commands(&help) {
        assert!(
            readme.contains(&format!("| [`{command}`](")),
            "the README lacks `{command}`"
        );
    }
    // The exit codes are a promise; the help, the README and the manual make the same.
    let codes = help.split("Exit codes: ").nth(1).unwrap();
    let codes = codes.split_whitespace().collect::<Vec<_>>().join(" ");
    let manual = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    for code in codes.split(" · ") {
        let (number, meaning) = code.split_once(' ').unwrap();
        for text in [&readme, &manual] {
            assert!(text.contains(&format!("| {number} | {meaning}")), "{code}");
        }
    }
}

#[test]
fn every_part_of_an_invocation_is_in_the_manuals_of_calling_and_of_messages() {
    let manuals = ["docs/calling.md", "docs/messages.md"];
    let manual = manuals.map(|name| fs::read_to_string(root().join(name)).unwrap());
    let manual = manual.concat();
    let schema = fs::read_to_string(root().join("schemas/invocation.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let names = |properties: &Value| -> Vec<String> {
        let properties: &Map<String, Value> = properties.as_object().unwrap();
        properties.keys().cloned().collect()
    };
    let members = names(&schema["properties"]);
    let options = names(&schema["$defs"]["Options"]["properties"]);
    for name in members.into_iter().chain(options) {
        assert!(
            manual.contains(&format!("`{name}`")),
            "neither manual names `{name}`"
        );
    }
}
