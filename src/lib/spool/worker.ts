// The writing thread of the spool: takes chunks, appends them, gives the buffers back.
import { parentPort, workerData } from 'node:worker_threads'
import { Appender, type AppendJob } from './append.js'

export interface SpoolReply {
  readonly buffers: ArrayBuffer[]
  readonly jobs: number
  readonly written: number
  readonly failed: number
  readonly error: { readonly code: string; readonly message: string } | undefined
}

const appender = new Appender((workerData as { dir: string }).dir)

parentPort?.on('message', (jobs: readonly AppendJob[] | 'close') => {
  if (jobs === 'close') {
    appender.close()
    parentPort?.close()
    return
  }
  let written = 0
  let failed = 0
  let error: SpoolReply['error']
  for (const job of jobs) {
    try {
      appender.append(job)
      written += job.used
    } catch (caught) {
      failed++
      const { code = '', message } = caught as NodeJS.ErrnoException
      error = { code, message }
      // The directory may have been deleted under us.
      if (code === 'ENOENT') appender.close()
    }
  }
  const buffers = jobs.map((job) => job.buffer)
  parentPort?.postMessage({ buffers, jobs: jobs.length, written, failed, error } satisfies SpoolReply, buffers)
})
