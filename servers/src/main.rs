//! Begins one server of each kind, prints their ports, and ends them when its input ends.

use servers::{Durability, MariaDb, Outcome, Postgres, Redis, RedisOptions};

fn main() -> Outcome {
    let postgres = Postgres::start(Durability::Fast)?;
    let mariadb = MariaDb::start(Durability::Fast)?;
    let redis = Redis::start(RedisOptions::new(Durability::Fast))?;
    println!("{} {} {}", postgres.port(), mariadb.port(), redis.port());
    std::io::stdin().read_line(&mut String::new()).map(drop).map_err(|error| error.to_string())
}
