export { agentSocket, frozenNow, usableAgent } from './agent.ts';
export { bridgeOf, missingBridge } from './bridge.ts';
export { xlDisks, xlInfo, xlInterfaces } from './commands.ts';
export * from './config/index.ts';
export { guestsWithDisk } from './disk-of.ts';
export {
  describe,
  type Domain,
  domainRemedy,
  type DomainState,
  domains,
  guestDomains,
  offRemedy,
  stateWords,
} from './domains.ts';
export {
  allDomus,
  domuOf,
  type ConfigProblem,
  type Domu,
  guestConfigs,
  isRunning,
  readGuestConfig,
} from './guests.ts';
export { memoryRefusal, refuseMissingMemory } from './memory.ts';
export type { GuestSetting } from './operations/set.ts';
export { givenTo } from './resources.ts';
export type { DomainDisk, GivenResources } from './schema.ts';
export { refuseUnrestartable } from './startable.ts';
export { type StartRow, startAllPlan } from './start-all.ts';
