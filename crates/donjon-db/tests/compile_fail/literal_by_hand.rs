use donjon_db::guard::Literal;

struct Leaked;

impl Literal for Leaked {
    const SQL: &'static str = String::leak(std::env::args().collect());
    const NAMES: &'static [&'static str] = &[];
}

fn main() {
    let _ = donjon_db::SafeSql::written::<Leaked>(Vec::new());
}
