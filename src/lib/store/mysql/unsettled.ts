/** Something changed under a batch, and nothing of it may be kept; another try will do. */
export class Unsettled extends Error {}
