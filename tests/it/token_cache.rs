//! Tokens in a folder that processes share: one issue for all of them, for its owner's eyes alone,
//! and never the reason that a call fails.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{self, Ended, World, run};

const V3: &str = "/oauth2/v3/token";
const VARIABLE: &str = "LINE_CONNECTOR_TOKEN_CACHE";

/// A folder of tokens, not made yet, within one that goes with the test.
struct Cache {
    #[cfg_attr(not(unix), expect(dead_code, reason = "it goes with the test"))]
    around: tempfile::TempDir,
    folder: PathBuf,
}

impl Cache {
    fn new() -> Self {
        let around = tempfile::tempdir().unwrap();
        let folder = around.path().join("deep").join("tokens");
        Self { around, folder }
    }

    fn path(&self) -> &str {
        self.folder.to_str().unwrap()
    }

    /// One process that pushes one message.
    fn push(&self, asset: &Value) -> Ended {
        self.call(&world::push(asset))
    }

    fn call(&self, document: &Value) -> Ended {
        let arguments = ["run", "--token-cache", self.path()];
        run(&arguments, document.to_string().as_bytes(), &[])
    }

    fn files(&self, ending: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut found: Vec<PathBuf> = paths
            .filter(|path| path.extension().is_some_and(|known| known == ending))
            .collect();
        found.sort();
        found
    }

    /// The one file that holds a token.
    fn entry(&self) -> PathBuf {
        let files = self.files("json");
        assert_eq!(files.len(), 1, "{files:?}");
        files.into_iter().next().unwrap()
    }
}

#[test]
fn a_full_folder_takes_the_operators_tokens_alone() {
    let (world, cache) = (World::new(), Cache::new());
    succeeded(&cache.push(&world.asset()));
    let known = cache.entry();
    for number in 0..2048 {
        File::create(cache.folder.join(format!("{number}.lock"))).unwrap();
    }
    // What is there already is used.
    succeeded(&cache.push(&world.asset()));
    assert_eq!(world.count(V3), 1);
    fs::remove_file(&known).unwrap();
    succeeded(&cache.push(&world.asset()));
    assert_eq!(world.count(V3), 2);
    assert!(cache.files("json").is_empty());
    let file = cache.folder.with_file_name("asset.json");
    fs::write(&file, world.asset().to_string()).unwrap();
    let arguments = ["run", "--token-cache", cache.path(), "--asset"];
    let arguments = [&arguments[..], &[file.to_str().unwrap()]].concat();
    let mut document = world::push(&json!({}));
    document.as_object_mut().unwrap().remove("asset");
    succeeded(&run(&arguments, document.to_string().as_bytes(), &[]));
    assert_eq!(cache.entry(), known);
}

fn succeeded(ended: &Ended) {
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[cfg(unix)]
fn change_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn processes_one_after_the_other_share_a_token() {
    let (world, cache) = (World::new(), Cache::new());
    for _ in 0..3 {
        succeeded(&cache.push(&world.asset()));
    }
    assert_eq!(world.count(V3), 1);
    assert_eq!(world.sandbox.delivered().len(), 3);
}

#[test]
fn the_folder_may_come_from_the_environment_and_check_uses_it_too() {
    let (world, cache) = (World::new(), Cache::new());
    let document = world::push(&world.asset()).to_string();
    succeeded(&run(
        &["run"],
        document.as_bytes(),
        &[(VARIABLE, cache.path())],
    ));
    let file = cache.folder.parent().unwrap().join("asset.json");
    fs::write(&file, world.asset().to_string()).unwrap();
    let file = file.to_str().unwrap();
    let arguments = ["check", "--asset", file, "--token-cache", cache.path()];
    succeeded(&run(&arguments, b"", &[]));
    assert_eq!(world.count(V3), 1);
}

#[test]
fn serve_shares_it_too() {
    let (world, cache) = (World::new(), Cache::new());
    succeeded(&cache.push(&world.asset()));
    let line = format!("{}\n", world::push(&world.asset()));
    let arguments = ["serve", "--token-cache", cache.path()];
    let ended = run(&arguments, line.repeat(5).as_bytes(), &[]);
    succeeded(&ended);
    assert_eq!(world.sandbox.delivered().len(), 6, "{}", ended.stdout);
    assert_eq!(world.count(V3), 1);
}

#[test]
fn without_being_asked_for_nothing_is_kept() {
    let world = World::new();
    let document = world::push(&world.asset()).to_string();
    for _ in 0..2 {
        succeeded(&run(&["run"], document.as_bytes(), &[(VARIABLE, "")]));
    }
    assert_eq!(world.count(V3), 2);
}

#[test]
fn where_no_token_is_issued_no_folder_is_made() {
    let (world, cache) = (World::new(), Cache::new());
    succeeded(&cache.push(&world.bearer()));
    let document = world::push(&world.asset()).to_string();
    for mode in ["--dry-run", "--sandbox"] {
        let arguments = ["run", mode, "--token-cache", cache.path()];
        succeeded(&run(&arguments, document.as_bytes(), &[]));
    }
    assert!(!cache.folder.exists());
}

#[test]
fn of_twenty_processes_at_once_one_issues() {
    let (world, cache) = (World::new(), Cache::new());
    // Slow enough that all of them meet.
    world.fault(json!({"kind": "delay", "ms": 500, "path": V3}));
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| succeeded(&cache.push(&world.asset())));
        }
    });
    assert_eq!(world.count(V3), 1);
    assert_eq!(world.sandbox.delivered().len(), 20);
}

#[cfg(unix)]
#[test]
fn folder_and_files_are_their_owners_alone() {
    let (world, cache) = (World::new(), Cache::new());
    succeeded(&cache.push(&world.asset()));
    assert_eq!(mode(&cache.folder), 0o700);
    let files: Vec<PathBuf> = fs::read_dir(&cache.folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 2, "a token and its lock: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

/// A refusal says what to do, sends nothing, and issues nothing.
#[cfg(unix)]
fn refused(world: &World, cache: &Cache, what: &str, advice: &str) {
    world.sandbox.forget();
    let ended = cache.push(&world.asset());
    assert_eq!(ended.code, 2, "{what}: {}", ended.stdout);
    let error = &ended.document()["error"];
    assert_eq!(error["kind"], "usage", "{what}");
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains(advice), "{what}: {hint}");
    assert_eq!(world.sandbox.requests().len(), 0, "{what}");
}

#[cfg(unix)]
#[test]
fn what_others_can_use_is_refused() {
    let (world, cache) = (World::new(), Cache::new());
    succeeded(&cache.push(&world.asset()));
    for open in [0o750, 0o701, 0o770, 0o777] {
        change_mode(&cache.folder, open);
        refused(&world, &cache, &format!("folder {open:o}"), "chmod 700");
    }
    change_mode(&cache.folder, 0o700);
    for open in [0o640, 0o604, 0o620, 0o666] {
        change_mode(&cache.entry(), open);
        refused(&world, &cache, &format!("file {open:o}"), "chmod 600");
    }
    change_mode(&cache.entry(), 0o600);
    // Only root can give a folder to somebody else; nobody else could use such a one anyway.
    if std::os::unix::fs::chown(&cache.folder, Some(65_534), None).is_ok() {
        refused(&world, &cache, "another user's folder", "--token-cache");
        std::os::unix::fs::chown(&cache.folder, Some(0), None).unwrap();
    }
    succeeded(&cache.push(&world.asset()));
    assert_eq!(world.count(V3), 0, "the token is still good");
}

#[cfg(unix)]
#[test]
fn what_is_no_plain_folder_or_file_is_refused() {
    use std::os::unix::fs::symlink;
    let (world, cache) = (World::new(), Cache::new());
    succeeded(&cache.push(&world.asset()));
    let (entry, elsewhere) = (cache.entry(), cache.folder.with_extension("elsewhere"));
    fs::rename(&entry, &elsewhere).unwrap();
    symlink(&elsewhere, &entry).unwrap();
    refused(&world, &cache, "a link to a file", "--token-cache");
    fs::remove_file(&entry).unwrap();
    fs::create_dir(&entry).unwrap();
    refused(&world, &cache, "a folder for a file", "--token-cache");

    fs::remove_dir_all(&cache.folder).unwrap();
    fs::write(&cache.folder, "").unwrap();
    refused(&world, &cache, "a file for the folder", "--token-cache");
    fs::remove_file(&cache.folder).unwrap();
    let real = cache.folder.with_extension("real");
    fs::create_dir(&real).unwrap();
    change_mode(&real, 0o700);
    symlink(&real, &cache.folder).unwrap();
    refused(&world, &cache, "a link to a folder", "--token-cache");
    for ending in ["/", "//", "/."] {
        let folder = PathBuf::from(format!("{}{ending}", cache.path()));
        let with_ending = Cache {
            folder,
            ..Cache::new()
        };
        refused(&world, &with_ending, "a link with a slash", "--token-cache");
    }
    assert_eq!(fs::read_dir(&real).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_can_replace_is_warned_about() {
    let (world, cache) = (World::new(), Cache::new());
    let around = cache.around.path();
    let is_warned = || {
        let _first = fs::remove_dir_all(&cache.folder);
        let ended = cache.push(&world.asset());
        succeeded(&ended);
        let told = ended
            .stderr
            .matches("in the place of the token cache")
            .count();
        assert_eq!(told > 0, ended.stderr.contains(around.to_str().unwrap()));
        assert!(told <= 1, "{}", ended.stderr);
        told == 1
    };
    for (mode, warned) in [(0o755, false), (0o777, true), (0o1777, false)] {
        change_mode(around, mode);
        assert_eq!(is_warned(), warned, "{mode:o}");
    }
    // Only root can give a folder to somebody else.
    if std::os::unix::fs::chown(around, Some(65_534), None).is_ok() {
        assert!(is_warned());
    }
}

#[test]
fn a_token_that_line_takes_no_more_is_renewed_for_all() {
    let (world, cache) = (World::new(), Cache::new());
    succeeded(&cache.push(&world.asset()));
    world.fault(json!({"kind": "expire_token"}));
    succeeded(&cache.push(&world.asset()));
    assert_eq!(world.count(V3), 2);
    succeeded(&cache.push(&world.asset()));
    assert_eq!(world.count(V3), 2, "the new one is kept");
    assert_eq!(world.sandbox.delivered().len(), 3);
}

#[test]
fn a_file_that_is_no_token_counts_as_none() {
    let (world, cache) = (World::new(), Cache::new());
    succeeded(&cache.push(&world.asset()));
    let whole = fs::read_to_string(cache.entry()).unwrap();
    let mut expired: Value = serde_json::from_str(&whole).unwrap();
    expired["expires"] = json!(1_000_000_000);
    let contents = [
        String::new(),
        whole[..whole.len() / 2].to_owned(),
        "\0\u{1}\u{2} not ours".to_owned(),
        "{\"format\": 99}".to_owned(),
        format!("[{}]", " ".repeat(1_000_000)),
        expired.to_string(),
    ];
    for (issued, content) in contents.iter().enumerate() {
        fs::write(cache.entry(), content).unwrap();
        for _ in 0..2 {
            succeeded(&cache.push(&world.asset()));
        }
        let shown: String = content.chars().take(30).collect();
        assert_eq!(world.count(V3), issued + 2, "{shown}");
    }
}

#[test]
fn neither_names_nor_contents_tell_channel_or_secret() {
    let (world, cache) = (World::new(), Cache::new());
    succeeded(&cache.push(&world.asset()));
    let asset = world.asset();
    for path in fs::read_dir(&cache.folder).unwrap() {
        let path = path.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let content = fs::read_to_string(&path).unwrap();
        for parameter in ["client_id", "client_secret"] {
            let value = asset[parameter].as_str().unwrap();
            assert!(!name.contains(value) && !content.contains(value), "{name}");
        }
    }
}

#[test]
fn another_secret_is_another_entry() {
    let (world, cache) = (World::new(), Cache::new());
    succeeded(&cache.push(&world.asset()));
    let mut asset = world.asset();
    asset["client_secret"] = json!("not-the-channel-secret");
    let ended = cache.push(&asset);
    assert_eq!(ended.code, 4, "{}", ended.stdout);
    assert_eq!(cache.files("json").len(), 1, "a refusal is not kept");
    let again = World::new();
    succeeded(&cache.push(&again.asset()));
    assert_eq!(cache.files("json").len(), 2, "another token endpoint too");
}

#[test]
fn a_token_from_a_file_is_never_shown() {
    let (world, cache) = (World::new(), Cache::new());
    succeeded(&cache.push(&world.asset()));
    let content: Value = serde_json::from_slice(&fs::read(cache.entry()).unwrap()).unwrap();
    let token = content["token"].as_str().unwrap();
    let body = json!({"message": format!("no such token: {token}")});
    world.fault(json!({"kind": "status", "code": 400, "body": body}));
    let ended = cache.push(&world.asset());
    assert_eq!(ended.code, 1);
    assert!(!ended.stdout.contains(token) && !ended.stderr.contains(token));
    assert!(ended.stdout.contains("no such token"));
}

#[test]
fn a_process_that_dies_while_it_issues_blocks_nobody() {
    let (world, cache) = (World::new(), Cache::new());
    world.fault(json!({"kind": "stall", "ms": 60_000, "path": V3}));
    let mut stuck = Command::new(env!("CARGO_BIN_EXE_line-connector"))
        .args(["run", "--token-cache", cache.path()])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let document = world::push(&world.asset()).to_string();
    std::io::Write::write_all(&mut stuck.stdin.take().unwrap(), document.as_bytes()).unwrap();
    let started = Instant::now();
    while world.count(V3) == 0 {
        assert!(
            started.elapsed() < Duration::from_mins(1),
            "it asks for a token"
        );
        std::thread::yield_now();
    }
    stuck.kill().unwrap();
    stuck.wait().unwrap();
    let ended = cache.push(&world.asset());
    succeeded(&ended);
    assert!(ended.document()["meta"]["warnings"].is_null());
    assert_eq!(world.count(V3), 2);
    succeeded(&cache.push(&world.asset()));
    assert_eq!(world.count(V3), 2, "and its token is kept");
}

/// The call goes on, and says that the token is not kept.
fn warned(ended: &Ended, why: &str) {
    succeeded(ended);
    let document = ended.document();
    let warning = document["meta"]["warnings"][0]["message"].as_str();
    let warning = warning.unwrap_or_else(|| panic!("a warning: {document}"));
    assert!(
        warning.contains("is not kept") && warning.contains(why),
        "{warning}"
    );
}

#[test]
fn a_lock_that_is_never_released_delays_a_call_no_longer_than_its_timeout() {
    let (world, cache) = (World::new(), Cache::new());
    succeeded(&cache.push(&world.asset()));
    fs::remove_file(cache.entry()).unwrap();
    let lock = File::open(&cache.files("lock")[0]).unwrap();
    lock.lock().unwrap();
    let mut document = world::push(&world.asset());
    document["options"] = json!({"timeout_ms": 300});
    let started = Instant::now();
    warned(&cache.call(&document), "lock");
    assert!(started.elapsed() < Duration::from_secs(20));
    drop(lock);
    succeeded(&cache.call(&document));
    succeeded(&cache.call(&document));
    assert_eq!(
        world.count(V3),
        3,
        "one before, one past the lock, one kept again"
    );
}

#[test]
fn a_folder_that_takes_no_file_does_not_stop_the_call() {
    let (world, cache) = (World::new(), Cache::new());
    succeeded(&cache.push(&world.asset()));
    let beside = cache.entry().with_extension("new");
    fs::remove_file(cache.entry()).unwrap();
    fs::create_dir(&beside).unwrap();
    warned(&cache.push(&world.asset()), "");
    fs::remove_dir(&beside).unwrap();
    // What a process leaves that ends in the middle of writing.
    fs::write(&beside, "half a tok").unwrap();
    succeeded(&cache.push(&world.asset()));
    succeeded(&cache.push(&world.asset()));
    assert_eq!(world.count(V3), 3);
    assert!(!beside.exists());
}
