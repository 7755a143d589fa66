//! From times to places: what stands closer than an eye can tell apart is drawn once, so that no log makes a large
//! picture.

use svg::node::element::{Group, Path, Text, Title};

use crate::axis;
use crate::life::{Mark, Span};

/// A mark with its tip to the left of its words.
pub const DIAMOND: &str = "M-4 -4l4 -4l4 4l-4 4z";

/// What an eye can tell apart.
const APART: f64 = 0.5;
/// The height of a line of words, and how many there may be in a lane.
const LINE: f64 = 16.0;
const LINES: usize = 5;
/// Marks with the same words that are as close as this are one with a number.
const SAME: f64 = 8.0;

/// Where a time stands.
#[derive(Debug)]
pub struct Scale {
    span: Span,
    left: f64,
    right: f64,
}

impl Scale {
    pub fn new(span: Span, left: f64, right: f64) -> Self {
        // One instant stands at the left end.
        Self { span: Span { to: span.to.max(span.from + 1), ..span }, left, right }
    }

    pub fn span(&self) -> Span {
        self.span
    }

    pub fn x(&self, at: i64) -> f64 {
        let part = (at - self.span.from) as f64 / (self.span.to - self.span.from) as f64;
        self.left + part.clamp(0.0, 1.0) * (self.right - self.left)
    }

    /// Bars, each at least so wide.
    pub fn bars(&self, spans: &[Span], y: f64, height: f64, at_least: f64) -> String {
        let mut bars: Vec<(f64, f64)> = Vec::new();
        let mut places: Vec<_> = spans.iter().map(|span| (self.x(span.from), self.x(span.to))).collect();
        places.sort_by(|one, other| one.0.total_cmp(&other.0));
        for (from, to) in places {
            match bars.last_mut() {
                Some((_, end)) if from < *end + APART && at_least > 0.0 && to - from < APART => *end = end.max(to),
                _ => bars.push((from, to)),
            }
        }
        if at_least == 0.0 {
            bars.retain(|(from, to)| to - from >= APART);
        }
        let bar = |(from, to): (f64, f64)| {
            let wide = (to - from).max(at_least);
            // At the end of the axis there is no room to the right.
            let from = from.min(self.right - wide);
            format!("M{} {}h{}v{}h-{}z", short(from), short(y), short(wide), short(height), short(wide))
        };
        bars.into_iter().map(bar).collect()
    }

    /// Upright strokes.
    pub fn ticks(&self, times: &[i64], y: f64, height: f64) -> String {
        self.places(times).into_iter().map(|x| format!("M{} {}v{}", short(x), short(y), short(height))).collect()
    }

    /// Strokes of no length, which round ends make dots.
    pub fn dots(&self, times: &[i64], y: f64) -> String {
        self.places(times).into_iter().map(|x| format!("M{} {}h0", short(x), short(y))).collect()
    }

    /// Marks with their words beside them, in as many lines as they need; gives the height too.
    pub fn words(&self, marks: &[Mark], y: f64, colour: &str) -> (Group, f64) {
        let mut group = Group::new().set("fill", colour);
        let mut ends: Vec<f64> = Vec::new();
        for (x, words, title) in self.merged(marks) {
            let wide = width(&words) + 10.0;
            let (to_the_left, from) = if x + wide > self.right + 16.0 { (true, x - wide) } else { (false, x - 6.0) };
            let free = ends.iter().position(|end| from > *end).or_else(|| {
                (ends.len() < LINES).then(|| {
                    ends.push(f64::MIN);
                    ends.len() - 1
                })
            });
            let line = free.unwrap_or(0);
            let at = format!("translate({} {})", short(x), short(y + 14.0 + LINE * line as f64));
            let mark = Path::new().set("d", DIAMOND).add(Title::new(title));
            let mut placed = Group::new().set("transform", at).add(mark);
            if free.is_some() {
                ends[line] = if to_the_left { x + 8.0 } else { x + wide };
                let text = Text::new(words);
                placed = placed.add(if to_the_left { text.set("class", "end").set("x", -7) } else { text.set("x", 7) });
            }
            group = group.add(placed);
        }
        (group, LINE * ends.len().max(1) as f64 + 4.0)
    }

    /// Marks that stand together and say the same, with their number.
    fn merged(&self, marks: &[Mark]) -> Vec<(f64, String, String)> {
        let mut merged: Vec<(f64, &Mark, usize)> = Vec::new();
        for mark in marks {
            let x = self.x(mark.at);
            match merged
                .iter_mut()
                .rev()
                .take(LINES)
                .find(|(at, same, _)| same.words == mark.words && (x - at).abs() < SAME)
            {
                Some((_, _, count)) => *count += 1,
                None => merged.push((x, mark, 1)),
            }
        }
        let told = |(x, mark, count): (f64, &Mark, usize)| {
            let times = if count > 1 { format!(" ×{count}") } else { String::new() };
            let words = clean(&mark.words);
            let more = if mark.more.is_empty() { String::new() } else { format!(": {}", clean(&mark.more)) };
            (x, format!("{words}{times}"), format!("{} {words}{times}{more}", axis::moment(mark.at)))
        };
        merged.into_iter().map(told).collect()
    }

    fn places(&self, times: &[i64]) -> Vec<f64> {
        let mut places: Vec<f64> = times.iter().map(|at| self.x(*at)).collect();
        places.sort_by(f64::total_cmp);
        places.dedup_by(|next, last| *next - *last < APART);
        places
    }
}

/// About how wide words are.
pub fn width(words: &str) -> f64 {
    words.chars().count() as f64 * 6.9
}

/// Words of a log, fit to stand in a picture: not too long, and without what XML has no place for.
pub fn clean(words: &str) -> String {
    let shown = words.chars().map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { ' ' } else { c });
    let mut shown: String = shown.take(121).collect();
    if shown.chars().count() > 120 {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// A place to a tenth, without a needless zero.
fn short(place: f64) -> String {
    let text = format!("{place:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale() -> Scale {
        Scale::new(Span { from: 0, to: 1_000_000 }, 0.0, 800.0)
    }

    #[test]
    fn no_number_of_marks_makes_a_large_picture() {
        let times: Vec<i64> = (0..1_000_000).collect();
        let spans: Vec<Span> = times.iter().map(|at| Span { from: *at, to: at + 1 }).collect();
        let marks: Vec<Mark> =
            times.iter().map(|at| Mark { at: *at, words: "expired".into(), more: String::new() }).collect();
        for drawn in [
            scale().ticks(&times, 0.0, 10.0),
            scale().dots(&times, 0.0),
            scale().bars(&spans, 0.0, 10.0, 2.0),
            scale().words(&marks, 0.0, "red").0.to_string(),
        ] {
            assert!(drawn.len() < 40_000, "{}", drawn.len());
        }
    }

    #[test]
    fn words_do_not_touch() {
        let marks =
            [0, 30, 60_000, 990_000, 999_999].map(|at| Mark { at, words: format!("word {at}"), more: String::new() });
        let (drawn, height) = scale().words(&marks, 0.0, "red");
        let drawn = drawn.to_string();
        let lines: Vec<_> = drawn.split("translate(").skip(1).map(|mark| mark.split(')').next().unwrap()).collect();
        assert_eq!(lines, ["0 14", "0 30", "48 46", "792 14", "800 30"]);
        assert_eq!(height, 3.0 * LINE + 4.0);
        assert_eq!(drawn.matches(r#"class="end""#).count(), 2);
    }

    #[test]
    fn words_are_fit_for_xml() {
        assert_eq!(clean("a\u{0}b\n\u{ffff}"), "a b  ");
        assert_eq!(clean(&"x".repeat(300)).chars().count(), 121);
    }
}
