export { bridgeOf } from './bridge.ts';
export * from './config/index.ts';
export { guestsWithDisk } from './disk-of.ts';
export { type Domain, type DomainState, domains, guestDomains, stateWords } from './domains.ts';
export {
  allDomus,
  type ConfigProblem,
  type Domu,
  guestConfigs,
  isRunning,
  readGuestConfig,
} from './guests.ts';
export { memoryRefusal } from './memory.ts';
export { remedyFor, type StartRow, startAllPlan } from './start-all.ts';
