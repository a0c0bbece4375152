//! A private cluster of the machine's own PostgreSQL, for demos and small shops.
//!
//! It listens on the loopback only, with a password that stands in the data folder. As root it runs as `postgres`,
//! because PostgreSQL refuses to run as root.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};

const OLDEST: u32 = 15;

#[derive(Debug)]
pub(crate) struct Private {
    pub(crate) url: String,
    cluster: Cluster,
    /// Somebody else's running server is left running.
    started_here: bool,
}

#[derive(Debug, Clone)]
struct Cluster {
    bin: PathBuf,
    data: PathBuf,
    run_as: Option<(u32, u32)>,
}

impl Private {
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let bin = find_binaries()?;
        let run_as = if is_root() { Some(postgres_user()?) } else { None };
        let home = home_for(folder, run_as)?;
        let cluster = Cluster { bin, data: home.join("pgdata"), run_as };
        let password = password(&home, run_as)?;
        if !cluster.data.join("PG_VERSION").exists() {
            cluster.init(&home.join("password"))?;
        }
        let (port, started_here) = match cluster.running_port() {
            Some(port) => (port, false),
            None => (cluster.launch(&home)?, true),
        };
        let url = format!("postgres://jangbu:{password}@127.0.0.1:{port}/jangbu");
        let private = Self { url, cluster, started_here };
        match private.cluster.create_database(port, &password) {
            Ok(()) => Ok(private),
            Err(error) => {
                private.stop();
                Err(error)
            }
        }
    }

    pub(crate) fn stop(self) {
        if !self.started_here {
            return;
        }
        let stopped = self
            .cluster
            .command("pg_ctl")
            .args(["stop", "-w", "-m", "fast", "-D"])
            .arg(&self.cluster.data)
            .output();
        if !stopped.is_ok_and(|output| output.status.success()) {
            tracing::warn!(data = %self.cluster.data.display(), "the private PostgreSQL did not stop");
        }
    }
}

impl Cluster {
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.stdin(Stdio::null()).env_remove("PGHOST").env_remove("PGPORT").current_dir("/");
        // Its own group: Ctrl-C in a terminal is for us, and we stop it when we are done with it.
        command.process_group(0);
        if let Some((uid, gid)) = self.run_as {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn init(&self, password_file: &Path) -> anyhow::Result<()> {
        tracing::info!(data = %self.data.display(), "making a private PostgreSQL cluster");
        let output = self
            .command("initdb")
            .args(["-U", "jangbu", "-A", "scram-sha-256", "--locale=C.UTF-8", "-E", "UTF8", "--pwfile"])
            .arg(password_file)
            .arg("-D")
            .arg(&self.data)
            .output()
            .context("initdb could not be run")?;
        ensure!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(())
    }

    /// The port of a server that runs on this data already, for example after our process was killed.
    fn running_port(&self) -> Option<u16> {
        let status = self.command("pg_ctl").arg("status").arg("-D").arg(&self.data).output().ok()?;
        if !status.status.success() {
            return None;
        }
        fs::read_to_string(self.data.join("postmaster.pid")).ok()?.lines().nth(3)?.trim().parse().ok()
    }

    fn launch(&self, home: &Path) -> anyhow::Result<u16> {
        let log = home.join("postgres.log");
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            // Its log is kept too: a refused statement and its values do not belong there.
            let options = format!(
                "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 \
                 -c log_error_verbosity=terse -c log_min_error_statement=panic"
            );
            let status = self
                .command("pg_ctl")
                .args(["start", "-w", "-t", "60", "-l"])
                .arg(&log)
                .args(["-o", &options, "-D"])
                .arg(&self.data)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .context("pg_ctl could not be run")?;
            if status.success() {
                return Ok(port);
            }
        }
        bail!("the private PostgreSQL does not start; its log is {}", log.display())
    }

    fn create_database(&self, port: u16, password: &str) -> anyhow::Result<()> {
        let psql = |arguments: &[&str]| {
            self.command("psql")
                .env("PGPASSWORD", password)
                .args(["-h", "127.0.0.1", "-U", "jangbu", "-d", "postgres", "-Atq", "-p", &port.to_string()])
                .args(arguments)
                .output()
        };
        let exists = psql(&["-c", "select 1 from pg_database where datname = 'jangbu'"])?;
        ensure!(
            exists.status.success(),
            "the private PostgreSQL lets nobody in: {}",
            String::from_utf8_lossy(&exists.stderr)
        );
        if exists.stdout.starts_with(b"1") {
            return Ok(());
        }
        let created = psql(&["-c", "create database jangbu"])?;
        ensure!(created.status.success(), "create database: {}", String::from_utf8_lossy(&created.stderr));
        Ok(())
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// uid and gid of `postgres`.
fn postgres_user() -> anyhow::Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
    users
        .lines()
        .find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.first() == Some(&"postgres"))
                .then(|| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)))?
        })
        .context("PostgreSQL does not run as root, and this machine has no user `postgres`: set DATABASE_URL")
}

fn find_binaries() -> anyhow::Result<PathBuf> {
    let mut candidates: Vec<PathBuf> = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        candidates.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    for root in ["/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt"] {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            candidates.push(entry.path().join("bin"));
        }
    }
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()) {
        candidates.push(folder);
    }
    let version = |bin: &PathBuf| -> Option<u32> {
        if !["initdb", "pg_ctl", "postgres", "psql"].iter().all(|name| bin.join(name).exists()) {
            return None;
        }
        let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split_whitespace().nth(2)?.split('.').next()?.parse().ok()
    };
    // Of equals the first is taken: the one that pg_config names.
    candidates
        .into_iter()
        .rev()
        .filter_map(|bin| Some((version(&bin).filter(|v| *v >= OLDEST)?, bin)))
        .max_by_key(|(version, _)| *version)
        .map(|(_, bin)| bin)
        .with_context(|| {
            format!("no DATABASE_URL, and no PostgreSQL {OLDEST} or newer here: set one, or `apt-get install postgresql`")
        })
}

/// The folder itself, or one that `postgres` can reach when an ancestor of it is closed to others.
fn home_for(folder: &Path, run_as: Option<(u32, u32)>) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder)
        .with_context(|| format!("JANGBU_DATA_DIR: {} cannot be made", folder.display()))?;
    let folder = folder.canonicalize()?;
    let Some((uid, gid)) = run_as else { return Ok(folder) };
    let closed = folder
        .ancestors()
        .skip(1)
        .any(|a| fs::metadata(a).is_ok_and(|m| m.permissions().mode() & 0o001 == 0));
    let home = if closed { elsewhere(&folder)? } else { folder.join("postgres") };
    // A folder that somebody else put there is not ours to trust with a password.
    if fs::symlink_metadata(&home).is_ok_and(|m| !m.is_dir() || (m.uid() != 0 && m.uid() != uid)) {
        bail!("{} belongs to somebody else: set JANGBU_DATA_DIR or DATABASE_URL", home.display());
    }
    fs::create_dir_all(&home)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))?;
    std::os::unix::fs::chown(&home, Some(uid), Some(gid))?;
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700))?;
    Ok(home)
}

/// A home that the data folder remembers, so that a new folder never meets the books of an old one.
fn elsewhere(folder: &Path) -> anyhow::Result<PathBuf> {
    let note = folder.join("postgres-home");
    if let Ok(known) = fs::read_to_string(&note) {
        return Ok(PathBuf::from(known.trim()));
    }
    let home = PathBuf::from(format!("/var/tmp/jangbu-{}", uuid::Uuid::new_v4().simple()));
    fs::write(&note, home.display().to_string())?;
    Ok(home)
}

fn password(home: &Path, run_as: Option<(u32, u32)>) -> anyhow::Result<String> {
    let path = home.join("password");
    if let Ok(known) = fs::read_to_string(&path) {
        return Ok(known.trim().to_owned());
    }
    let mut bytes = [0u8; 24];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let password: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(password.as_bytes())?;
    if let Some((uid, gid)) = run_as {
        std::os::unix::fs::chown(&path, Some(uid), Some(gid))?;
    }
    Ok(password)
}
