//! The big table and the teams, rendered from the same structures by Donjon, Tera, MiniJinja and Askama, with the
//! context made anew each time; and the escaping of text. Medians of alternating runs.
//!
//! ```text
//! cargo run --release --manifest-path bench/page/Cargo.toml
//! ```

use std::hint::black_box;
use std::time::Instant;

use askama::Template;
use donjon_html::template::{Templates, Value};
use serde::Serialize;

const RUNS: usize = 15;

const BIG_TABLE: &str = "<table>\n{% for row in table %}<tr>{% for col in row %}<td>{{ col }}</td>{% endfor %}</tr>\n{% endfor %}</table>";
const TEAMS: &str = include_str!("../templates/teams.html");
const TEAMS_JINJA: &str = include_str!("../templates/teams.jinja.html");

#[derive(Serialize)]
struct Team {
    name: String,
    score: u8,
}

#[derive(Serialize)]
struct Season {
    year: u16,
    teams: Vec<Team>,
}

#[derive(Serialize)]
struct Table {
    table: Vec<Vec<usize>>,
}

#[derive(Template)]
#[template(
    source = "<table>\n{% for row in table %}<tr>{% for col in row %}<td>{{ col }}</td>{% endfor %}</tr>\n{% endfor %}</table>",
    ext = "html"
)]
struct AskamaTable<'a> {
    table: &'a [Vec<usize>],
}

#[derive(Template)]
#[template(path = "teams.askama.html")]
struct AskamaTeams<'a> {
    year: u16,
    teams: &'a [Team],
}

/// What is measured: a name, how often it runs at a time, and what it does.
struct Contender<'a> {
    name: &'static str,
    repeat: usize,
    run: Box<dyn FnMut() -> usize + 'a>,
}

fn contender<'a>(
    name: &'static str,
    repeat: usize,
    run: impl FnMut() -> usize + 'a,
) -> Contender<'a> {
    Contender { name, repeat, run: Box::new(run) }
}

/// Microseconds of each contender: the median of runs that alternate.
fn medians(contenders: &mut [Contender<'_>]) -> Vec<f64> {
    let mut times = vec![Vec::with_capacity(RUNS); contenders.len()];
    for _ in 0..RUNS {
        for (contender, times) in contenders.iter_mut().zip(&mut times) {
            let started = Instant::now();
            for _ in 0..contender.repeat {
                black_box((contender.run)());
            }
            times.push(started.elapsed().as_secs_f64() * 1e6 / contender.repeat as f64);
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    times.iter_mut().map(median).collect()
}

fn report(title: &str, contenders: &mut [Contender<'_>]) {
    println!("{title}");
    let medians = medians(contenders);
    for (contender, median) in contenders.iter().zip(medians) {
        println!("  {:<32} {median:>9.2} us", contender.name);
    }
}

fn value<T: Serialize>(data: &T) -> Value {
    Value::from_serialize(data).expect("plain data")
}

fn pages() {
    let table = Table { table: (0..100).map(|_| (0..10).collect()).collect() };
    let season = Season {
        year: 2015,
        teams: [("Jiangsu", 43), ("Beijing", 27), ("Guangzhou", 22), ("Shandong", 12)]
            .map(|(name, score)| Team { name: name.into(), score })
            .into(),
    };
    let donjon =
        Templates::new([("big.html", BIG_TABLE), ("teams.html", TEAMS)]).expect("templates");
    let mut tera = tera::Tera::default();
    tera.add_raw_template("big.html", BIG_TABLE).expect("template");
    tera.add_raw_template("teams.html", TEAMS_JINJA).expect("template");
    let mut jinja = minijinja::Environment::new();
    jinja.add_template("big.html", BIG_TABLE).expect("template");
    jinja.add_template("teams.html", TEAMS_JINJA).expect("template");

    let render =
        |name: &str, variables| donjon.render(name, &variables, &()).expect("a page").len();
    let made = donjon_html::context! { table: value(&table.table) };
    report(
        "big table, 100 x 10 numbers",
        &mut [
            contender("donjon", 60, || {
                render("big.html", donjon_html::context! { table: value(&table.table) })
            }),
            contender("donjon, context made before", 60, || {
                donjon.render("big.html", &made, &()).expect("a page").len()
            }),
            contender("tera", 60, || {
                let context = tera::Context::from_serialize(&table).expect("a context");
                tera.render("big.html", &context).expect("a page").len()
            }),
            contender("minijinja", 60, || {
                jinja
                    .get_template("big.html")
                    .and_then(|t| t.render(minijinja::value::Serde(&table)))
                    .expect("a page")
                    .len()
            }),
            contender("askama (compiled)", 60, || {
                AskamaTable { table: &table.table }.render().expect("a page").len()
            }),
        ],
    );
    let made = donjon_html::context! { year: season.year, teams: value(&season.teams) };
    report(
        "teams",
        &mut [
            contender("donjon", 2000, || {
                render(
                    "teams.html",
                    donjon_html::context! { year: season.year, teams: value(&season.teams) },
                )
            }),
            contender("donjon, context made before", 2000, || {
                donjon.render("teams.html", &made, &()).expect("a page").len()
            }),
            contender("tera", 2000, || {
                let context = tera::Context::from_serialize(&season).expect("a context");
                tera.render("teams.html", &context).expect("a page").len()
            }),
            contender("minijinja", 2000, || {
                jinja
                    .get_template("teams.html")
                    .and_then(|t| t.render(minijinja::value::Serde(&season)))
                    .expect("a page")
                    .len()
            }),
            contender("askama (compiled)", 2000, || {
                AskamaTeams { year: season.year, teams: &season.teams }
                    .render()
                    .expect("a page")
                    .len()
            }),
        ],
    );
}

fn escaping() {
    let clean = "The quick brown fox jumps over the lazy dog; 1234567890. ".repeat(20_000);
    let dirty =
        "Tom & Jerry said: \"a < b\", and it's so. Nothing else follows here. ".repeat(15_000);
    println!("escaping");
    for (name, text) in [("clean", &clean), ("dirty", &dirty)] {
        let mut out = String::with_capacity(text.len() * 2);
        let mut run = [contender("", 20, || {
            out.clear();
            donjon_html::escape::write_html(&mut out, text);
            out.len()
        })];
        let micros = medians(&mut run)[0];
        println!("  {name:<32} {:>9.2} GB/s", text.len() as f64 / micros / 1e3);
    }
}

fn main() {
    pages();
    escaping();
}
