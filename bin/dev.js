#!/usr/bin/env -S node --import tsx
// The program from its TypeScript sources, for developing; workers and the manifest still come from dist/.
import { execute } from '@oclif/core'

await execute({ development: true, dir: import.meta.url })
