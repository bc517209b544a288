//! Results, talk and answers: the three streams of a tool.

use std::fmt;
use std::io::{self, BufRead, ErrorKind, IsTerminal, Write};

use super::{Error, Result};

/// The three streams of a tool. Tests hand in their own.
pub struct Console<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    input: &'a mut dyn BufRead,
    /// Somebody watches standard error.
    pub watched: bool,
    /// Results go to a terminal.
    pub screen: bool,
    /// Nobody reads the results any more.
    closed: bool,
}

impl fmt::Debug for Console<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("watched", &self.watched)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl<'a> Console<'a> {
    pub fn new(out: &'a mut dyn Write, err: &'a mut dyn Write, input: &'a mut dyn BufRead) -> Self {
        Self {
            out,
            err,
            input,
            watched: false,
            screen: false,
            closed: false,
        }
    }

    /// Runs `work` on the streams of this process.
    pub fn of_process<T>(work: impl FnOnce(&mut Console<'_>) -> T) -> T {
        let (mut out, mut err) = (io::stdout().lock(), io::stderr());
        let mut input = io::stdin().lock();
        let (watched, screen) = (err.is_terminal(), out.is_terminal());
        let mut console = Console::new(&mut out, &mut err, &mut input);
        console.watched = watched;
        console.screen = screen;
        work(&mut console)
    }

    /// A line of results. A reader who has seen enough (`| head`) is no error.
    pub fn result(&mut self, line: impl fmt::Display) -> Result<()> {
        if self.closed {
            return Ok(());
        }
        match writeln!(self.out, "{line}").and_then(|()| self.out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => Err(Error::Output(error)),
        }
    }

    /// A line of results as JSON.
    pub fn json(&mut self, value: &serde_json::Value) -> Result<()> {
        self.result(value)
    }

    /// A line of talk. There is nobody to tell when it cannot be said.
    pub fn say(&mut self, line: impl fmt::Display) {
        let _ = writeln!(self.err, "{line}");
    }

    /// What lies under an error, a line each.
    pub fn causes(&mut self, error: &Error) {
        for cause in error.causes() {
            self.say(format!("  because: {cause}"));
        }
    }

    /// Asks a question that only a yes answers. End of input is no answer.
    pub fn confirm(&mut self, question: &str) -> Result<bool> {
        let _ = write!(self.err, "{question} [y/N] ").and_then(|()| self.err.flush());
        let mut answer = String::new();
        let read = self.input.read_line(&mut answer).unwrap_or_default();
        if read == 0 {
            self.say("");
            return Err(Error::NoAnswer);
        }
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(input: &str) -> Result<bool> {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut input = input.as_bytes();
        let answer = Console::new(&mut out, &mut err, &mut input).confirm("Sure?");
        assert!(out.is_empty(), "a question is no result");
        assert!(err.starts_with(b"Sure? [y/N] "));
        answer
    }

    #[test]
    fn only_a_yes_confirms() {
        for yes in ["y\n", "YES\n", " Yes \n"] {
            assert!(answered(yes).unwrap(), "{yes:?}");
        }
        for no in ["\n", "n\n", "yep\n"] {
            assert!(!answered(no).unwrap(), "{no:?}");
        }
    }

    #[test]
    fn the_end_of_input_is_no_answer() {
        assert!(matches!(answered(""), Err(Error::NoAnswer)));
    }

    #[test]
    fn a_closed_pipe_is_no_error_and_a_full_disk_is() {
        struct Broken(ErrorKind);
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let printed = |kind| {
            let (mut out, mut err) = (Broken(kind), Vec::new());
            Console::new(&mut out, &mut err, &mut io::empty()).result("line")
        };
        assert!(printed(ErrorKind::BrokenPipe).is_ok());
        assert!(printed(ErrorKind::StorageFull).is_err());
    }
}
