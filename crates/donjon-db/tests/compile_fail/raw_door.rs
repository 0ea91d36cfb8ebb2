use donjon_db::Db;

async fn door(db: &Db, name: String) {
    db.execute_unprepared(&format!("delete from item where name = '{name}'")).await;
}

fn main() {}
