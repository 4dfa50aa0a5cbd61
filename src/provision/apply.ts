import { type Answers, askedOnce, type ReadHost } from '../command/index.ts';
import { RefusedError, RolledBackError, ToolError, UsageError } from '../core/errors.ts';
import { present } from '../core/present.ts';
import { aptSourceStep, undecided } from './apt-source.ts';
import { groupStep, userStep } from './account.ts';
import { hostnameStep } from './hostname.ts';
import { realParent } from '../file/path.ts';
import { type EnsureName, isIn, type Resource } from './resource.ts';
import { kernelModuleStep } from './kernel-module.ts';
import { localeStep } from './locale.ts';
import { sysctlStep } from './sysctl.ts';
import { checkService, type Services, servicesOf } from './service.ts';
import { timezoneStep } from './timezone.ts';
import {
  type Files,
  type HostChange,
  type Owners,
  ownersOf,
  packagesStep,
  scriptStep,
  type Step,
  stepOf,
} from './steps.ts';
import type { Claims } from '../atomic/operation.ts';
import { isMissing } from '../atomic/undo/missing.ts';

export type { HostChange } from './steps.ts';

type Ensure = (
  method: EnsureName,
  args: unknown,
) => Promise<{ readonly value: unknown; readonly changed: boolean }>;

/**
 * Makes a host as described, as steps of an open sequence, and returns the differences. An object
 * in the right state needs no step. Refuses impossible changes before the first step, except on a
 * mount that the description itself creates: then the sequence is rolled back.
 */
export async function applyResources(
  tx: Files & { readonly ensure: Ensure },
  {
    host,
    planning,
    answers,
    begins,
  }: {
    readonly host: ReadHost;
    readonly planning: boolean;
    readonly answers: Answers;
    /** Called when the steps of an object begin, and without one after the last. */
    readonly begins: (one?: Resource) => void;
  },
  resources: readonly Resource[],
): Promise<readonly HostChange[]> {
  // Answers of the host are used again until the first step, and then only until the next step.
  let look = askedOnce(host, answers);
  const owners: Owners = (owned) => ownersOf(look)(owned);
  const packages = resources.filter((one) => one.kind === 'package');
  // The first package has one step for all packages.
  const isLater = (one: Resource): boolean => one.kind === 'package' && one !== packages[0];
  const step = (
    one: Exclude<Resource, { readonly kind: 'ensure' | 'service' }>,
  ): Promise<Step | undefined> => {
    switch (one.kind) {
      case 'package':
        return packagesStep(look, packages);
      case 'group':
        return groupStep(look, one, resources);
      case 'user':
        return userStep(look, one, { resources, planning });
      case 'script':
        return scriptStep(look, one);
      case 'apt-source':
        return aptSourceStep(look, one, owners);
      case 'sysctl':
        return sysctlStep(look, one);
      case 'kernel-module':
        return kernelModuleStep(look, one, owners);
      case 'hostname':
        return hostnameStep(look, one, { owners, all: resources });
      case 'timezone':
        return timezoneStep(look, one, owners);
      case 'locale':
        return localeStep(look, one, owners);
      default:
        return stepOf(look, one, owners);
    }
  };
  const mounts = resources.flatMap((one) =>
    one.kind === 'ensure' && one.path !== undefined ? [one.path] : [],
  );
  const isOnMount = (path = ''): boolean => mounts.some((mount) => path === mount || isIn(path, mount));
  // A missing object may be created by earlier packages (their directories, users and units), by earlier users
  // and groups, or by scripts.
  let mayCome = false;
  const differing: Pick<Step, 'kind' | 'name' | 'claims'>[] = [];
  for (const one of resources)
    await named(one, async () => {
      if (one.kind === 'service') await checkService(look, one, resources);
      else if (
        one.kind === 'package' ||
        one.kind === 'group' ||
        one.kind === 'user' ||
        one.kind === 'script' ||
        one.kind === 'apt-source'
      ) {
        const found = isLater(one) ? undefined : await step(one);
        if (found !== undefined) differing.push(found);
        await found?.check?.();
        mayCome ||= found !== undefined;
      } else if (one.kind !== 'ensure' && !isOnMount(one.path)) {
        const found = await step(one);
        if (found !== undefined) differing.push(found);
        await found?.check?.();
      }
    }).catch((error: unknown) => {
      if (!mayCome || !mayBeBrought(one, error)) throw error;
      if (one.kind === 'file' || one.kind === 'directory' || one.kind === 'link')
        differing.push({ kind: one.kind, name: one.path });
    });
  // One program locks all objects, which would otherwise need one for each step.
  const services = servicesOf(tx, host, resources);
  if (differing.length > 0) await tx.reserve(keysOf(differing, services));
  const changes: HostChange[] = [];
  let brought: 'packages' | 'scripts' | undefined;
  // A plan does not read the lists of a new repository.
  let hasNewSource = false;
  for (const one of resources) {
    if (isLater(one)) continue;
    begins(one);
    if (one.kind === 'ensure') {
      const args: unknown = typeof one.args === 'function' ? (one.args as () => unknown)() : one.args;
      const { value, changed } = await tx.ensure(one.method, args);
      look = askedOnce(host);
      one.done(value);
      if (changed) changes.push({ action: 'create', kind: 'ensure', name: one.identity, details: [] });
      continue;
    }
    const act = async (): Promise<void> => {
      if (one.kind === 'service') {
        const details = await services.settle(one);
        look = askedOnce(host);
        if (details.length > 0) changes.push({ action: 'change', kind: 'service', name: one.unit, details });
        return;
      }
      const open = one.kind === 'package' && planning && hasNewSource ? await undecided(look, packages) : [];
      const found = await step(one).catch((error: unknown) => {
        if (open.length === 0 || !isMissing(error)) throw error;
        return undefined;
      });
      if (found === undefined && open.length === 0) return;
      if (found === undefined) {
        const details = ['if the repository has it'];
        changes.push({ action: 'change', kind: 'packages', name: open.join(' '), details });
        brought ??= 'packages';
        return;
      }
      const { run, check, details, ...change } = found;
      const said: string[] = [];
      await check?.();
      if (one.path !== undefined) {
        await services.before(one.path);
        // A plan installs nothing.
        if (planning && brought !== undefined) await realParent(host, one.path);
      }
      // The script may need these services.
      if (one.kind === 'script') await services.stayUp(named);
      await run(tx, (detail) => said.push(detail));
      look = askedOnce(host);
      changes.push({
        ...change,
        details: [...said, ...details, ...(open.length > 0 ? ['or as the new repository has it'] : [])],
      });
      if (one.kind === 'apt-source') hasNewSource = true;
      if (one.kind === 'package') brought ??= 'packages';
      if (one.kind === 'script' && one.wanted.undo !== 'none') brought ??= 'scripts';
    };
    await named(one, act).catch((error: unknown) => {
      if (!planning || brought === undefined || !mayBeBrought(one, error) || one.kind === 'package')
        throw error;
      changes.push(ifBrought(one, brought));
    });
  }
  begins();
  await services.end();
  await services.stayUp(named);
  return changes;
}

/** The keys that these steps will claim, as far as they are known. */
function keysOf(steps: readonly Pick<Step, 'kind' | 'name' | 'claims'>[], services: Services): Claims {
  const named = (...kinds: readonly HostChange['kind'][]) =>
    steps.flatMap(({ kind, name }) => (kinds.includes(kind) ? [name] : []));
  const paths = named('file', 'directory', 'link', 'lines');
  return {
    changes: [
      ...paths.map((path) => `file:${path}`),
      ...services.keysOf(paths),
      ...steps.flatMap(({ claims }) => claims?.changes ?? []),
    ],
    needs: [
      ...named('directory').map((path) => `mnt:${path}`),
      ...steps.flatMap(({ claims }) => claims?.needs ?? []),
    ],
  };
}

/** Whether packages or scripts of the description may bring what is missing, for example setfacl(1). */
function mayBeBrought({ kind }: Resource, error: unknown): boolean {
  if (kind === 'file' || kind === 'directory') return isMissing(error) || error instanceof ToolError;
  return isMissing(error);
}

/**
 * Returns what a plan reports for an object that exists only after the packages are installed, or
 * the scripts ran.
 */
function ifBrought(
  one: Exclude<Resource, { readonly kind: 'ensure' | 'package' }>,
  by: 'packages' | 'scripts',
): HostChange {
  if (one.kind === 'service')
    return {
      ...{ action: 'change', kind: 'service', name: one.unit },
      details: [`if the ${by} provide it, set up`],
    };
  const details = [`if the ${by} provide what it needs`];
  if (one.kind === 'script') return { action: 'change', kind: 'script', name: one.name, details };
  if (one.kind === 'group' || one.kind === 'user')
    return { action: 'create', kind: one.kind, name: one.name, details };
  switch (one.kind) {
    case 'sysctl':
    case 'kernel-module':
    case 'hostname':
    case 'timezone':
    case 'locale':
      return { action: 'change', kind: one.kind, name: one.name, details };
    default:
  }
  if (one.kind === 'absent') return { action: 'remove', kind: 'file', name: one.path, details };
  if (one.kind === 'edit') return { action: 'change', kind: 'file', name: one.path, details };
  return { action: one.kind === 'lines' ? 'change' : 'create', kind: one.kind, name: one.path, details };
}

/** Adds the place in the description to a refusal. */
async function named(one: Resource, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    throw placed(error, one.at);
  }
}

/**
 * Adds the place in the description to the message of a refusal or a usage error, if it has none; also of
 * one that made the sequence fail.
 */
export function placed(error: unknown, at: string): unknown {
  if (error instanceof RolledBackError) {
    const { cause, message } = error;
    const reason = placed(cause, at);
    if (reason === cause || !(reason instanceof Error) || !(cause instanceof Error)) return error;
    const { id, failed, failedOn, undone, leftUntouched, stays } = error;
    return new RolledBackError(
      message.replace(cause.message, () => reason.message),
      {
        ...{ cause: reason, id, failed, failedOn, undone, leftUntouched, stays },
      },
    );
  }
  const isPlain =
    error instanceof Error && [RefusedError, UsageError].some((each) => error.constructor === each);
  if (!isPlain || error.message.startsWith(`${at}: `) || error.cause instanceof AggregateError) return error;
  const { remedy, code, holders } = error as RefusedError | UsageError;
  const Class = error instanceof UsageError ? UsageError : RefusedError;
  return new Class(`${at}: ${error.message}`, { cause: error, ...present({ remedy, code, holders }) });
}
