use donjon_db::sql;

fn main() {
    let name = "x' or '1'='1";
    let made = sql!(format!("select id from item where name = '{name}'"));
    let leaked: &'static str = String::leak(format!("select id from item where name = '{name}'"));
    let leaked = sql!(leaked);
    let joined = sql!("select id from item where name = '".to_owned() + name);
}
