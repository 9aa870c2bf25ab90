#!/usr/bin/env node
// The built program: oclif finds the command in oclif.manifest.json and loads only that one.
import { execute } from '@oclif/core'

await execute({ dir: import.meta.url })
