export { inWords, keysOf } from './change.ts';
export {
  type PackageArgs,
  packageName,
  packageVersion,
  plannedPackages,
  removedWith,
} from './plan.ts';
export { type AptSource, listsOf } from './sources.ts';
export { knownPackages, refuseUnready } from './state.ts';
