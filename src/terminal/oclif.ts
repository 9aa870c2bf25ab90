/**
 * What we use of oclif, part by part. In the built program this file stands for `@oclif/core` (scripts/program.mjs): the package's own
 * index also loads all of semver to compare the version of Node, which package.json's "engines" has npm do once.
 */
export * as Args from '@oclif/core/args'
export { Command } from '@oclif/core/command'
export { Plugin } from '@oclif/core/config'
export * as Flags from '@oclif/core/flags'
export { flush } from '@oclif/core/flush'
export { handle } from '@oclif/core/handle'
export { loadHelpClass } from '@oclif/core/help'
export { run } from '@oclif/core/run'
