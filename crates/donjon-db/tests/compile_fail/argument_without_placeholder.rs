use donjon_db::sql;

fn main() {
    let (name, owner) = ("tea", 1);
    let _ = sql!("select id from item where name = {name}", name, owner);
}
