//! Rows that cannot be used, and a database that goes away. They need an installed PostgreSQL server.

mod rows;
mod stage;
mod times;
