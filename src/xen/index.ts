export {
  classifyXl,
  xlCheck,
  xlCreate,
  xlDestroy,
  xlInfo,
  xlList,
  xlListLong,
  xlShutdown,
} from './commands.ts';
export * from './config/index.ts';
export { describe, type Domain, type DomainState, domains, guestDomains, stateWords } from './domains.ts';
export {
  allDomus,
  type ConfigProblem,
  defaultConfigDirs,
  type Domu,
  guestConfigs,
  isRunning,
  readGuestConfig,
} from './guests.ts';
export { memoryRefusal, neededMiB } from './memory.ts';
export { create, shutdown } from './operations.ts';
export type { ListedDomain, XenInfo } from './schema.ts';
export { remedyFor, type StartRow, startAllPlan } from './start-all.ts';
export { type Backend, backends } from './wait.ts';
