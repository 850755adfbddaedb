//! Where and when it was measured, with which compiler and which versions.

use std::env;
use std::fs;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// As it was when the harness was built.
const LOCK: &str = include_str!("../../Cargo.lock");

/// The compiler that built the harness.
pub const RUSTC: &str = env!("BENCH_RUSTC");

/// What is said of what cannot be found out.
pub const UNKNOWN: &str = "unknown";

/// The processor's model.
pub fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(':')).map(|(_, model)| model.trim());
    model.unwrap_or(UNKNOWN).to_owned()
}

/// How many cores the process may use.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The kernel's release.
pub fn kernel() -> String {
    line_of("/proc/sys/kernel/osrelease")
}

/// The load of the last 1, 5 and 15 minutes.
pub fn load() -> String {
    let line = line_of("/proc/loadavg");
    line.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn line_of(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| UNKNOWN.to_owned(), |text| text.trim().to_owned())
}

/// The date and the time of day now, in UTC.
pub fn now() -> String {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    date_and_time(since_epoch.as_secs())
}

fn date_and_time(seconds: u64) -> String {
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// Year, month and day of the day so many days after 1970-01-01. Counted in years that begin in March, so that the leap
/// day comes last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// Whether the environment asks for a backtrace in every error that can carry one.
pub fn error_backtraces() -> bool {
    let asked = |name| env::var_os(name).map(|value| value != "0");
    asked("RUST_LIB_BACKTRACE").or_else(|| asked("RUST_BACKTRACE")).unwrap_or(false)
}

/// The version of a crate that was measured.
pub fn version(package: &str) -> &'static str {
    version_in(LOCK, package).unwrap_or(UNKNOWN)
}

/// The version of a crate in a lock file.
pub fn version_in<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01 00:00 UTC"),
            (68_169_599, "1972-02-28 23:59 UTC"),
            (68_169_600, "1972-02-29 00:00 UTC"),
            (951_868_799, "2000-02-29 23:59 UTC"),
            (951_868_800, "2000-03-01 00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(date_and_time(seconds), expected);
        }
    }

    #[test]
    fn a_version_is_that_of_the_crate_of_exactly_that_name() {
        let lock = "name = \"ab\"\nversion = \"1.2.3\"\n";
        assert_eq!(version_in(lock, "ab"), Some("1.2.3"));
        assert_eq!(version_in(lock, "a"), None);
    }
}
