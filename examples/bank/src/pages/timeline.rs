//! Violations over time: bars, one for each hour or day, stacked by directive.
//!
//! 1. All numbers are whole and made here: nothing of a report becomes a part of the drawing but the
//!    names of directives, which are a fixed list.
//! 2. The directives seen most often have a colour each, [`COLOURS`] of them; the others share one.

use std::collections::BTreeMap;

use donjon_core::clock::UnixTime;
use donjon_core::violation::{HourCount, Kind};
use donjon_html::context;
use donjon_html::template::{DateTime, Value};

/// How many directives have a colour of their own.
const COLOURS: usize = 4;

/// What the others are called.
const OTHERS: &str = "other directives";

/// How wide a bar and its gap are, in the drawing's units.
const STEP: i64 = 10;
const GAP: i64 = 2;

/// How high the drawing is, and its highest bar; the rest is for what is rounded up.
const HEIGHT: i64 = 1_000;
const HIGHEST: u64 = 950;

/// What is there is seen, however little it is.
const LOWEST: u64 = 12;

/// How much of the past a timeline shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// The last 24 hours, by the hour.
    Day,
    /// The last 30 days, by the day.
    Month,
}

impl Span {
    /// How many bars there are.
    const fn bars(self) -> i64 {
        match self {
            Self::Day => 24,
            Self::Month => 30,
        }
    }

    /// How many seconds a bar stands for.
    const fn seconds(self) -> i64 {
        match self {
            Self::Day => 3_600,
            Self::Month => 86_400,
        }
    }

    /// The number of a time's hour or day, counted from 1970 in UTC.
    const fn number(self, time: UnixTime) -> i64 {
        time.seconds().div_euclid(self.seconds())
    }

    /// The number of the first bar.
    const fn first(self, now: UnixTime) -> i64 {
        self.number(now) - self.bars() + 1
    }

    /// When the first bar begins.
    pub(crate) const fn since(self, now: UnixTime) -> UnixTime {
        UnixTime::from_seconds(self.first(now) * self.seconds())
    }
}

type Counts = BTreeMap<&'static str, u64>;

/// The drawing, for the template.
pub(crate) fn draw(span: Span, hours: &[HourCount], now: UnixTime) -> Value {
    let bars = bars(span, hours, now);
    let series = series(&bars);
    let highest = bars.values().map(total).max().unwrap_or(0);
    let drawn = (span.first(now)..=span.number(now)).enumerate().map(|(place, number)| {
        let counts = bars.get(&number).cloned().unwrap_or_default();
        let x = i64::try_from(place).unwrap_or_default() * STEP + GAP / 2;
        let begins = DateTime::from_epoch_seconds(number * span.seconds());
        let parts = stacked(&counts, &series, highest, x);
        context! { x: x - GAP / 2, begins, total: total(&counts), parts }.into()
    });
    let drawn: Vec<Value> = drawn.collect();
    context! {
        bars: drawn, legend: legend(&bars, &series), highest,
        total: sum(bars.values().map(total)),
        width: span.bars() * STEP, height: HEIGHT, step: STEP,
        begins: DateTime::from_epoch_seconds(span.since(now).seconds()),
    }
    .into()
}

/// What was counted, by the number of its bar.
fn bars(span: Span, hours: &[HourCount], now: UnixTime) -> BTreeMap<i64, Counts> {
    let mut bars: BTreeMap<i64, Counts> = BTreeMap::new();
    for hour in hours {
        let number = span.number(hour.hour);
        if let (Kind::Violation(directive), true) = (hour.kind, number >= span.first(now)) {
            let bar = bars.entry(number).or_default();
            let sum = bar.entry(directive.as_str()).or_default();
            *sum = u64::saturating_add(*sum, hour.count);
        }
    }
    bars
}

fn total(counts: &Counts) -> u64 {
    sum(counts.values().copied())
}

fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// The directives with a colour of their own, the most frequent first.
fn series(bars: &BTreeMap<i64, Counts>) -> Vec<&'static str> {
    let mut all: Vec<_> = sums(bars).into_iter().collect();
    all.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    all.into_iter().take(COLOURS).map(|(name, _)| name).collect()
}

fn sums(bars: &BTreeMap<i64, Counts>) -> Counts {
    let mut sums = Counts::new();
    for (name, count) in bars.values().flatten() {
        let sum = sums.entry(*name).or_default();
        *sum = u64::saturating_add(*sum, *count);
    }
    sums
}

/// The counts of each colour in turn, and of the others.
fn coloured(counts: &Counts, series: &[&'static str]) -> Vec<(&'static str, u64)> {
    let own = series.iter().map(|name| (*name, counts.get(name).copied().unwrap_or(0)));
    let own: Vec<_> = own.collect();
    let others = total(counts).saturating_sub(sum(own.iter().map(|(_, count)| *count)));
    own.into_iter().chain([(OTHERS, others)]).collect()
}

fn legend(bars: &BTreeMap<i64, Counts>, series: &[&'static str]) -> Vec<Value> {
    parts(&sums(bars), series)
        .map(|(colour, name, count)| context! { colour, name, count }.into())
        .collect()
}

/// Colour, name and count of what there is; the others' colour is the last.
fn parts(
    counts: &Counts,
    series: &[&'static str],
) -> impl Iterator<Item = (usize, &'static str, u64)> {
    let numbered = coloured(counts, series).into_iter().enumerate();
    let there = numbered.filter(|(_, (_, count))| *count > 0);
    there
        .map(|(at, (name, count))| (if name == OTHERS { COLOURS + 1 } else { at + 1 }, name, count))
}

/// A bar's parts, from the bottom up.
fn stacked(counts: &Counts, series: &[&'static str], highest: u64, x: i64) -> Vec<Value> {
    let mut y = HEIGHT;
    let part = |(colour, name, count): (usize, &'static str, u64)| {
        let height = count.saturating_mul(HIGHEST).checked_div(highest).unwrap_or(0).max(LOWEST);
        let height = i64::try_from(height).unwrap_or(HEIGHT);
        y -= height;
        context! { colour, name, count, x, y, width: STEP - GAP, height }.into()
    };
    parts(counts, series).map(part).collect()
}

#[cfg(test)]
mod tests {
    use donjon_core::violation::{DirectiveName, Noise};

    use super::*;

    /// Twenty past ten.
    const NOW: UnixTime = UnixTime::from_seconds(20_000 * 86_400 + 37_200);

    fn hour(ago: i64, name: &str, count: u64) -> HourCount {
        let hour = UnixTime::from_seconds(NOW.seconds() / 3_600 * 3_600 - ago * 3_600);
        let kind =
            DirectiveName::parse(name).map_or(Kind::Noise(Noise::Extension), Kind::Violation);
        HourCount { hour, kind, count }
    }

    fn at(value: &Value, path: &[&str]) -> i64 {
        let found = path.iter().fold(value.clone(), |value, name| {
            value.step(name).map(std::borrow::Cow::into_owned).unwrap_or(Value::None)
        });
        found.integer().unwrap_or(-1)
    }

    #[test]
    fn each_hour_of_the_day_has_its_bar() {
        let hours = [
            hour(24, "img-src", 100),
            hour(23, "img-src", 1),
            hour(0, "img-src", 3),
            hour(0, "script-src", 6),
            hour(0, "an extension", 50),
        ];
        let drawn = draw(Span::Day, &hours, NOW);
        assert_eq!(drawn.step("bars").unwrap().length(), Some(24));
        assert_eq!((at(&drawn, &["total"]), at(&drawn, &["highest"])), (10, 9));
        assert_eq!(at(&drawn, &["bars", "0", "total"]), 1);
        assert_eq!(at(&drawn, &["bars", "1", "total"]), 0);
        let last = |path: &[&str]| at(&drawn, &[&["bars", "23", "parts"], path].concat());
        assert_eq!(
            (last(&["0", "count"]), last(&["0", "height"]), last(&["0", "y"])),
            (6, 633, 367)
        );
        assert_eq!(
            (last(&["1", "count"]), last(&["1", "height"]), last(&["1", "y"])),
            (3, 316, 51)
        );
        assert_eq!(last(&["0", "x"]), 231);
    }

    #[test]
    fn a_months_bars_are_days() {
        let drawn = draw(Span::Month, &[hour(10, "img-src", 1), hour(11, "img-src", 2)], NOW);
        assert_eq!(drawn.step("bars").unwrap().length(), Some(30));
        assert_eq!(at(&drawn, &["bars", "29", "total"]), 1, "today began ten hours ago");
        assert_eq!(at(&drawn, &["bars", "28", "total"]), 2);
    }

    #[test]
    fn rule_2_the_others_share_a_colour() {
        let names = ["img-src", "script-src", "style-src", "font-src", "media-src", "frame-src"];
        let hours: Vec<_> =
            names.iter().zip(1..).map(|(name, count)| hour(0, name, count)).collect();
        let drawn = draw(Span::Day, &hours, NOW);
        assert_eq!(drawn.step("legend").unwrap().length(), Some(5));
        assert_eq!(at(&drawn, &["legend", "0", "count"]), 6);
        assert_eq!(at(&drawn, &["legend", "4", "colour"]), 5);
        assert_eq!(at(&drawn, &["legend", "4", "count"]), 3);
    }

    #[test]
    fn without_violations_and_with_too_many_it_is_drawn_too() {
        let nothing = draw(Span::Day, &[], NOW);
        assert_eq!((at(&nothing, &["total"]), at(&nothing, &["highest"])), (0, 0));
        let many = ["img-src", "font-src"].map(|name| hour(0, name, u64::MAX));
        let many = draw(Span::Day, &[many, many].concat(), NOW);
        assert_eq!(many.step("legend").unwrap().length(), Some(2));
    }
}
