// Who may come in, and how both ends know each other: tokens and roles, certificates, remembered fingerprints.
export { expiryOf, type ServerCertificate, serverCertificate } from './certificate.js'
export { KnownServers } from './known-servers.js'
export { mayDo, type Right, type Role, roleNames, roles } from './roles.js'
export { type Client, fingerprintOf, Tokens } from './tokens.js'
