/** Aborts on the first SIGINT or SIGTERM, so that open calls are still written; a second one ends the program at once (130). */
export function stopOnSignals(): { signal: AbortSignal; dispose(): void } {
  const controller = new AbortController()
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130)
    controller.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return {
    signal: controller.signal,
    dispose: () => {
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
    },
  }
}
