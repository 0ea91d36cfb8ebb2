use donjon_db::sql;

fn main() {
    let name = "tea";
    let _ = sql!("select id from item where name = {name} and owner = {owner}", name);
}
