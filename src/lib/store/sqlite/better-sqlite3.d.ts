// The package brings no types; what we use of it is typed in driver.ts.
declare module 'better-sqlite3' {
  const Database: unknown
  export default Database
}
