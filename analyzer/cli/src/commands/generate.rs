//! `generate`: writes man pages and shell completions, for `scripts/install`.

use super::status::Status;
use super::{CommandLine, ReadArgs, RunCommand};
use anyhow::{Context, Result};
use clap::{Args, Command, CommandFactory};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The command that starts the scripts, and this program for all other commands.
const FRONT: &str = "iotrace";
/// Where each shell looks for completions, below `share`.
const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions"),
    (Shell::Zsh, "zsh/site-functions"),
    (Shell::Fish, "fish/vendor_completions.d"),
];

/// Arguments of `generate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  iotrace-analyze generate /usr/local/share --script 'record=Record a guest'"
)]
pub struct GenerateCommand {
    /// Directory below which to write: man/man1 and the completions of bash, zsh and fish
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Date of the man pages
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "")]
    pub date: String,
    /// Command of iotrace that is a script, with a summary (may be repeated)
    #[arg(long = "script", value_name = "NAME=SUMMARY", value_parser = script)]
    pub scripts: Vec<(String, String)>,
}

fn script(text: &str) -> Result<(String, String), String> {
    let (name, summary) = text.split_once('=').ok_or("expected NAME=SUMMARY")?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let pair = (name.to_owned(), summary.to_owned());
    if is_name { Ok(pair) } else { Err(format!("{name:?} is no name of a command")) }
}

impl RunCommand for GenerateCommand {
    fn run(&self, _: ReadArgs) -> Result<Status> {
        let pages = self.folder.join("man/man1");
        make(&pages)?;
        let analyzer = CommandLine::command();
        let mut named = analyzer.clone();
        // Gives the commands their full names.
        named.build();
        self.page(&named, &pages)?;
        for command in named.get_subcommands().filter(|command| !command.is_hide_set()) {
            self.page(command, &pages)?;
        }
        for (shell, place) in COMPLETIONS {
            let folder = self.folder.join(place);
            make(&folder)?;
            for (name, mut command) in [("iotrace-analyze", analyzer.clone()), (FRONT, self.front())] {
                generate_to(shell, &mut command, name, &folder)
                    .and_then(|path| if shell == Shell::Bash { correct_labels(name, &path) } else { Ok(()) })
                    .with_context(|| format!("writing completions to {}", folder.display()))?;
            }
        }
        Ok(Status::Success)
    }
}

impl GenerateCommand {
    /// Writes the man page of a command.
    fn page(&self, command: &Command, folder: &Path) -> Result<()> {
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        let source = format!("iotrace {}", env!("CARGO_PKG_VERSION"));
        let shown = command.clone().name(name.clone());
        let page = Man::new(shown).title(name.to_uppercase()).date(&self.date).source(source);
        let (path, mut text) = (folder.join(format!("{name}.1")), Vec::new());
        let written = page.render(&mut text).and_then(|()| fs::write(&path, tidied(&text)));
        written.with_context(|| format!("writing {}", path.display()))
    }

    /// The front command: the scripts, and the commands of this program.
    fn front(&self) -> Command {
        let scripts = self.scripts.iter().map(|(name, summary)| {
            Command::new(name.clone()).about(summary.clone()).arg(clap::Arg::new("ARGUMENTS").num_args(0..))
        });
        CommandLine::command().name(FRONT).bin_name(FRONT).subcommands(scripts)
    }
}

/// clap_complete 4.6 names the states of a program with a hyphen in two ways, `a__b` where they are entered and
/// `a__subcmd__b` where they are looked up (aot/shells/bash.rs): no option of a subcommand would be completed.
fn correct_labels(name: &str, path: &Path) -> io::Result<()> {
    let [entered, looked_up] = ["__", "__subcmd__"].map(|hyphen| name.replace('-', hyphen));
    fs::write(path, fs::read_to_string(path)?.replace(&looked_up, &entered))
}

/// A page without line breaks beside paragraph breaks: they do nothing, and linters warn of them.
fn tidied(page: &[u8]) -> String {
    let page = String::from_utf8_lossy(page);
    let lines: Vec<_> = page.lines().collect();
    let is_idle = |at: usize| {
        let mut beside = [at.checked_sub(1), Some(at + 1)].into_iter().flatten();
        let is_break = |at| lines.get(at).is_some_and(|line| [".sp", ""].contains(line));
        lines[at] == ".br" && beside.any(is_break)
    };
    let kept = (0..lines.len()).filter(|at| !is_idle(*at)).map(|at| format!("{}\n", lines[at]));
    kept.collect()
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_each_command_and_completions_have_those_of_scripts() {
        let folder = tempfile::tempdir().unwrap();
        let scripts = vec![script("record=Record a guest").unwrap()];
        let date = "2026-01-31".to_owned();
        let command = GenerateCommand { folder: folder.path().to_owned(), date, scripts };
        let reading = CommandLine::command().try_get_matches_from(["iotrace-analyze", "info", "x"]).unwrap();
        let CommandLine { reading, .. } = clap::FromArgMatches::from_arg_matches(&reading).unwrap();
        assert!(command.run(reading).is_ok());
        let shown = CommandLine::command();
        for command in shown.get_subcommands().filter(|command| !command.is_hide_set()) {
            let page = folder.path().join(format!("man/man1/iotrace-analyze-{}.1", command.get_name()));
            let text = fs::read_to_string(&page).unwrap();
            assert!(text.contains(".SH SYNOPSIS") && text.contains("2026-01-31"), "{}", page.display());
        }
        for file in ["bash-completion/completions/iotrace.bash", "zsh/site-functions/_iotrace"] {
            let text = fs::read_to_string(folder.path().join(file)).unwrap();
            assert!(text.contains("record") && text.contains("report"), "{file}");
        }
    }

    #[test]
    fn a_script_has_a_name_and_a_summary() {
        assert!(script("record").is_err() && script("a b=c").is_err() && script("=c").is_err());
    }
}
