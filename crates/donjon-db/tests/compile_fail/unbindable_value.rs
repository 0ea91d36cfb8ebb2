use donjon_db::sql;

struct Name(String);

fn main() {
    let _ = sql!("select id from item where name = {name}", name = Name("tea".into()));
}
