export { inWords } from './change.ts';
export {
  type PackageArgs,
  packageName,
  packageVersion,
  plannedPackages,
} from './plan.ts';
export { refuseUnready } from './state.ts';
