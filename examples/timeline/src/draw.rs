//! Draws a life as an SVG.

use svg::Document;
use svg::node::element::{Group, Path, Rectangle, Style, Text, Title};

use crate::axis;
use crate::lane::{self, Scale};
use crate::life::{End, Life, Outcome, Span};

const WIDTH: f64 = 960.0;
/// Where the time axis begins and ends.
const LEFT: f64 = 112.0;
const RIGHT: f64 = WIDTH - 20.0;
const TOP: f64 = 64.0;
const ROW: f64 = 20.0;

/// More ticks would touch one another.
const TICKS: usize = 10;

/// The phases in the order in which a session goes through them, each with its colour; they differ in
/// lightness too.
const PHASES: [(&str, &str); 6] = [
    ("idle", "#bbbbbb"),
    ("opening", "#56b4e9"),
    ("logging-in", "#e69f00"),
    ("second-factor", "#cc79a7"),
    ("active", "#009e73"),
    ("logging-out", "#777777"),
];
const UNKNOWN: &str = "#999999";
const ANSWERED: &str = "#777777";
const BAD: &str = "#d55e00";
const RETRY: &str = "#b8860b";
const BOXED: &str = "#7f2a00";
const NEED: &str = "#0072b2";
const NEWS: &str = "#333333";

/// Draws the picture.
pub fn draw(life: &Life) -> Document {
    let mut picture = Picture { scale: Scale::new(life.span, LEFT, RIGHT), body: Group::new(), y: TOP };
    picture.phases(life);
    picture.requests(life);
    picture.troubles(life);
    let height = picture.y;
    let Picture { body, scale, .. } = picture;
    let (mut grid, axis) = axis_and_grid(&scale, height);
    if let End::Open(_) = life.end {
        let torn = stroke(&format!("M{RIGHT} {:.0}V{height:.0}", TOP - 4.0), BAD).set("stroke-dasharray", "2 3");
        grid = grid.add(torn.set("class", "torn").add(Title::new("the log breaks off")));
    }
    let bottom = height + 40.0;
    Document::new()
        .set("viewBox", format!("0 0 {WIDTH} {}", bottom + 34.0))
        .set("font-family", "Verdana, DejaVu Sans, sans-serif")
        .set("font-size", 11)
        .add(Style::new(".name{text-anchor:end}.tick{text-anchor:middle;fill:#555}.end{text-anchor:end}"))
        .add(Title::new(heading(life)))
        .add(Rectangle::new().set("width", "100%").set("height", "100%").set("fill", "#fff"))
        .add(Text::new(heading(life)).set("x", 16).set("y", 26).set("font-size", 15).set("font-weight", "bold"))
        .add(Text::new(summary(life)).set("x", 16).set("y", 46).set("fill", "#444"))
        .add(grid)
        .add(body)
        .add(axis)
        .add(legend(bottom))
}

fn heading(life: &Life) -> String {
    let whose = if life.providers.is_empty() { "a session".into() } else { lane::clean(&life.providers.join(", ")) };
    format!("{whose}: {} from {}", axis::length(life.span), axis::moment(life.span.from))
}

fn summary(life: &Life) -> String {
    let end = match &life.end {
        End::Closed(reason) => format!("closed: {}", lane::clean(reason)),
        End::Left => "left open at the server".into(),
        End::Open(Some(phase)) => format!("the log breaks off while {}", lane::clean(phase)),
        End::Open(None) => "the log breaks off and names no phase".into(),
    };
    format!(
        "{}, {} of them refused or lost · {} · {} · {} · {end}",
        many(life.requests(), "request", "requests"),
        life.failures(),
        many(life.retries(), "retry", "retries"),
        many(life.needs.len(), "need", "needs"),
        many(life.boxes.len(), "penalty box", "penalty boxes"),
    )
}

fn many(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

struct Picture {
    scale: Scale,
    body: Group,
    /// Where the next row begins.
    y: f64,
}

impl Picture {
    fn phases(&mut self, life: &Life) {
        let known = PHASES.iter().map(|(name, _)| *name);
        let others =
            life.phases.keys().map(String::as_str).filter(|name| !PHASES.iter().any(|(known, _)| known == name));
        for name in known.chain(others) {
            let Some(spans) = life.phases.get(name) else { continue };
            let colour = PHASES.iter().find(|(known, _)| *known == name).map_or(UNKNOWN, |(_, colour)| colour);
            let total = spans.iter().map(|span| span.to.saturating_sub(span.from)).fold(0, i64::saturating_add);
            let title = format!(
                "{name}: {}, {} in all",
                many(spans.len(), "time", "times"),
                axis::length(Span { from: 0, to: total })
            );
            let bars = self.scale.bars(spans, self.y + 3.0, ROW - 6.0, 2.0);
            let row = group("phase", spans.len()).add(path(bars, &title).set("fill", colour));
            self.row(name, row, ROW);
        }
        if !life.doubts.is_empty() {
            let bars = self.scale.bars(&life.doubts, self.y + 5.0, 4.0, 2.0);
            let title = many(life.doubts.len(), "doubt whether it lives", "doubts whether it lives");
            let row = group("doubts", life.doubts.len()).add(path(bars, &title).set("fill", BAD));
            self.row("in doubt", row, ROW);
        }
        self.y += 6.0;
    }

    fn requests(&mut self, life: &Life) {
        let (top, height) = (self.y + 3.0, ROW - 6.0);
        let answered = life.requests.get(&Outcome::Answered).map(Vec::as_slice).unwrap_or_default();
        let row = group("answered", answered.len());
        let title = many(answered.len(), "request answered", "requests answered");
        let row = row.add(path(self.scale.ticks(answered, top, height), &title).set("stroke", ANSWERED));
        self.row("answered", row, ROW);
        let mut row = group("failed", life.failures());
        for (outcome, times) in &life.requests {
            let Outcome::Failed(why) = outcome else { continue };
            let title = format!("{} × {why}", times.len());
            row = row.add(
                path(self.scale.ticks(times, top + ROW, height), &title).set("stroke", BAD).set("stroke-width", 1.5),
            );
        }
        self.row("refused or lost", row, ROW);
    }

    fn troubles(&mut self, life: &Life) {
        let middle = self.y + ROW / 2.0;
        let mut row = group("retries", life.retries());
        for (cause, spans) in &life.retries {
            let title = format!("{} after {cause}", many(spans.len(), "retry", "retries"));
            let times: Vec<i64> = spans.iter().map(|span| span.from).collect();
            row = row.add(path(self.scale.bars(spans, middle - 1.0, 2.0, 0.0), "").set("fill", RETRY)).add(
                path(self.scale.dots(&times, middle), &title)
                    .set("stroke", RETRY)
                    .set("stroke-width", 6)
                    .set("stroke-linecap", "round"),
            );
        }
        self.row("retries", row, ROW);
        if !life.boxes.is_empty() {
            let bars = self.scale.bars(&life.boxes, self.y + 4.0, ROW - 8.0, 3.0);
            let title = many(life.boxes.len(), "penalty box", "penalty boxes");
            let row = group("boxes", life.boxes.len()).add(path(bars, &title).set("fill", BOXED));
            self.row("penalty boxes", row, ROW);
        }
        self.y += 6.0;
        for (name, class, colour, marks) in [("needs", "needs", NEED, &life.needs), ("news", "news", NEWS, &life.news)]
        {
            if !marks.is_empty() {
                let (drawn, height) = self.scale.words(marks, self.y, colour);
                self.row(name, group(class, marks.len()).add(drawn), height);
            }
        }
    }

    fn row(&mut self, name: &str, row: Group, height: f64) {
        let label = Text::new(lane::clean(name)).set("class", "name").set("x", LEFT - 10.0).set("y", self.y + 14.0);
        let body = std::mem::replace(&mut self.body, Group::new());
        self.body = body.add(label).add(row);
        self.y += height;
    }
}

fn axis_and_grid(scale: &Scale, bottom: f64) -> (Group, Group) {
    let (mut grid, mut axis) = (Group::new().set("stroke", "#ddd"), Group::new().set("class", "axis"));
    for tick in axis::ticks(scale.span(), TICKS) {
        let x = scale.x(tick.at);
        grid = grid.add(Path::new().set("d", format!("M{x:.1} {:.0}V{bottom:.0}", TOP - 4.0)));
        let text =
            |words: String, y: f64| Text::new(words).set("class", "tick").set("x", format!("{x:.1}")).set("y", y);
        axis = axis.add(text(tick.time, bottom + 16.0));
        if let Some(day) = tick.day {
            axis = axis.add(text(day, bottom + 30.0).set("font-weight", "bold"));
        }
    }
    let line = Path::new().set("d", format!("M{LEFT} {bottom:.0}H{RIGHT}")).set("stroke", "#999");
    let zone = Text::new("UTC").set("class", "name").set("fill", "#555").set("x", LEFT - 10.0).set("y", bottom + 16.0);
    (grid, axis.add(line).add(zone))
}

fn legend(y: f64) -> Group {
    let mut legend = Group::new().set("class", "legend").set("fill", "#444");
    let mut x = 16.0;
    let y = y + 16.0;
    for (shape, width, words) in [
        (fill("M0 -9h18v11h-18z", "#009e73"), 23.0, "phase"),
        (fill("M0 -5h18v4h-18z", BAD), 23.0, "in doubt"),
        (stroke("M0 -9v10M4 -9v10M7 -9v10", ANSWERED), 12.0, "answered"),
        (stroke("M1 -9v10M6 -9v10", BAD).set("stroke-width", 1.5), 11.0, "refused or lost"),
        (fill("M-3 -3.5a3 3 0 1 1 6 0a3 3 0 1 1 -6 0zM0 -4.5h18v2h-18z", RETRY), 23.0, "retry and wait"),
        (fill("M0 -8h18v9h-18z", BOXED), 23.0, "penalty box"),
        (fill(lane::DIAMOND, NEED), 9.0, "need"),
        (fill(lane::DIAMOND, NEWS), 9.0, "news"),
    ] {
        let at = format!("translate({x:.0} {y:.0})");
        legend = legend.add(Group::new().set("transform", at).add(shape).add(Text::new(words).set("x", width)));
        x += width + lane::width(words) + 14.0;
    }
    legend
}

fn stroke(d: &str, colour: &str) -> Path {
    Path::new().set("d", d).set("stroke", colour)
}

fn fill(d: &str, colour: &str) -> Path {
    Path::new().set("d", d).set("fill", colour)
}

fn group(class: &str, count: usize) -> Group {
    Group::new().set("class", class).set("data-count", count)
}

/// A path with words that show when it is pointed at.
fn path(d: String, title: &str) -> Path {
    let path = Path::new().set("d", d);
    if title.is_empty() { path } else { path.add(Title::new(lane::clean(title))) }
}
