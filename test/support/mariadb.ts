import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import mysql from 'mysql2/promise'

/**
 * A real MariaDB server on a directory and a socket of its own: started, stopped, killed and started again by a test.
 * It ends with the test process: setpriv gives it the parent-death signal.
 */
export interface TestServer {
  readonly socket: string
  /** On 127.0.0.1, when it was asked for. */
  readonly port: number | undefined
  readonly pid: number | undefined
  /** `mysql://root@localhost/NAME?socket=…`, with further parameters. */
  url(database: string, parameters?: string): string
  /** A statement from outside the store, as root. */
  sql<Row = Record<string, unknown>>(statement: string, database?: string): Promise<Row[]>
  start(): Promise<void>
  /** Ends in good order. */
  stop(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  /** SIGSTOP and SIGCONT: there, but it does not answer. */
  freeze(): void
  thaw(): void
  /** Stops it and removes its directory. */
  dispose(): Promise<void>
}

const searchPath = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
const onPath = (program: string): boolean => searchPath.split(':').some((dir) => existsSync(join(dir, program)))
export const haveMariadb = onPath('mariadbd')

const environment = { ...process.env, PATH: searchPath }

/** Tests want a small and quick server, not a safe one: what is written is not synced, but survives a kill of the server. */
export const quickOptions = [
  '--innodb-flush-log-at-trx-commit=2',
  '--innodb-flush-method=nosync',
  '--sync-frm=0',
  '--innodb-buffer-pool-size=64M',
  '--innodb-log-file-size=48M',
  '--performance-schema=OFF',
]

export async function startMariadb(
  options: readonly string[] = quickOptions,
  want: { tcp?: boolean; user?: string } = {},
): Promise<TestServer> {
  const port = want.tcp ? await freePort() : undefined
  const dir = mkdtempSync(join(tmpdir(), 'earshot-mariadb-'))
  const data = join(dir, 'data')
  const socket = join(dir, 's')
  const user = want.user ?? userInfo().username
  // Somebody's my.cnf has no say here.
  writeFileSync(join(dir, 'my.cnf'), '')
  if (want.user !== undefined) execFileSync('chown', [`${want.user}:`, dir])
  const become = want.user === undefined ? [] : ['--reuid', want.user, '--regid', want.user, '--clear-groups']
  execFileSync(
    'mariadb-install-db',
    [
      `--defaults-file=${join(dir, 'my.cnf')}`,
      `--datadir=${data}`,
      `--user=${user}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--skip-name-resolve',
      '--innodb-log-file-size=8M',
    ],
    // A small redo log: 8 MiB are quicker made than 96. What it says is in the error when it fails.
    { stdio: 'pipe', env: environment },
  )
  let child: ChildProcess | undefined
  const gone = (): Promise<void> =>
    new Promise((resolve) => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return resolve()
      child.once('exit', () => resolve())
    })
  const server: TestServer = {
    socket,
    port,
    get pid() {
      return child?.pid
    },
    url: (database, parameters) => `mysql://root@localhost/${database}?socket=${socket}${parameters ? `&${parameters}` : ''}`,
    async sql(statement, database) {
      const connection = await mysql.createConnection({
        socketPath: socket,
        user: 'root',
        ...(database && { database }),
        dateStrings: true,
        supportBigNumbers: true,
        decimalNumbers: true,
        charset: 'utf8mb4',
      })
      try {
        const [rows] = await connection.query(statement)
        return rows as never
      } finally {
        connection.destroy()
      }
    },
    async start() {
      const args = [
        `--defaults-file=${join(dir, 'my.cnf')}`,
        `--datadir=${data}`,
        `--socket=${socket}`,
        `--pid-file=${join(dir, 'pid')}`,
        `--user=${user}`,
        ...(port === undefined ? ['--skip-networking'] : ['--bind-address=127.0.0.1', `--port=${port}`, '--skip-name-resolve']),
        ...options,
      ]
      child = spawn('setpriv', [...become, '--pdeathsig', 'KILL', 'mariadbd', ...args], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: environment,
      })
      let log = ''
      child.stderr?.on('data', (chunk) => {
        log = (log + chunk).slice(-4000)
      })
      for (let i = 0; i < 600; i++) {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`MariaDB did not start:\n${log}`)
        try {
          await server.sql('SELECT 1')
          return
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      }
      throw new Error(`MariaDB does not answer:\n${log}`)
    },
    async stop() {
      child?.kill('SIGTERM')
      await gone()
    },
    async kill() {
      child?.kill('SIGKILL')
      await gone()
    },
    freeze: () => child?.kill('SIGSTOP'),
    thaw: () => child?.kill('SIGCONT'),
    async dispose() {
      child?.kill('SIGCONT')
      await server.kill()
      rmSync(dir, { recursive: true, force: true })
    },
  }
  await server.start()
  return server
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}
