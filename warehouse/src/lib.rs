//! SQL warehouses as destinations: changed rows of a lake's tables are staged, merged and recorded in one
//! transaction.
