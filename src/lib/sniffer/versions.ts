/** Versions of the libraries that Earshot works with, asked of themselves: loads them, so only who is asked for versions asks. */
export interface LibraryVersions {
  readonly sqlite: string | undefined
  /** "1.10.3"; undefined where it is not installed. */
  readonly libpcap: string | undefined
}

export async function libraryVersions(): Promise<LibraryVersions> {
  const [sqlite, libpcap] = await Promise.all([
    import('../store/sqlite/driver.js').then(({ sqliteVersion }) => sqliteVersion()).catch(() => undefined),
    import('../capture/bpf-compile.js').then(({ libpcapVersion }) => libpcapVersion()).catch(() => undefined),
  ])
  return { sqlite, libpcap }
}
