export { inWords, keysOf } from './change.ts';
export {
  type PackageArgs,
  packageName,
  packageVersion,
  plannedPackages,
} from './plan.ts';
export { type AptSource, listsOf } from './sources.ts';
export { knownPackages, refuseUnready } from './state.ts';
