import { posix } from 'node:path';
import { conflictProperties, stopProperties, unitProperties } from '../../../service/unit.ts';
import { readOptions, unmodelled } from '../../options.ts';
import { makeDir } from '../../world/files.ts';
import { resolve } from '../../world/resolve.ts';
import { addInode, symlink } from '../../world/tree.ts';
import {
  enabledBy,
  passTime,
  readBy,
  reloadManager,
  startUnit,
  unitFile,
  type UnitState,
  wordsIn,
} from '../../world/units.ts';
import type { World } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';

/** systemctl (systemd 252), on units whose effect the model knows; sleep (coreutils 9.1). */
export const serviceTools: Readonly<Record<string, ToolModel>> = {
  systemctl: (call) => {
    const [verb = '', ...rest] = call.argv.filter((word) => word !== '--no-block');
    if (verb === 'show') return show(call);
    if (verb === 'is-system-running') return ok('running\n');
    if (verb === 'daemon-reload' && rest.length === 0) {
      reloadManager(call.world);
      return ok();
    }
    const [dashes, unit = '', ...more] = rest;
    if (dashes !== '--' || unit === '' || (more.length > 0 && !['start', 'restart'].includes(verb)))
      throw unmodelled(call, 'the model takes one unit');
    const act = verbs[verb];
    if (act === undefined) throw unmodelled(call, `the model does not know the verb ${verb}`);
    const answers = [unit, ...more].map((each) => act(call.world, each));
    return answers.find(({ exitCode }) => exitCode !== 0) ?? ok();
  },
  sleep: (call) => {
    const [seconds = '', ...more] = call.argv;
    if (more.length > 0 || !/^\d+(?:\.\d+)?$/.test(seconds))
      throw unmodelled(call, 'the model takes one number of seconds');
    passTime(call.world, Number(seconds));
    return ok();
  },
};

type Verb = (world: World, unit: string) => ReturnType<ToolModel>;

const verbs: Readonly<Record<string, Verb>> = {
  start: (world, unit) => {
    if (isActive(world, unit)) return ok();
    for (const other of conflicting(world, unit)) if (isActive(world, other)) verbs['stop']?.(world, other);
    return start(world, unit, 'start');
  },
  restart: (world, unit) => {
    const others = activeWith(world, unit);
    const answer = start(world, unit, 'restart');
    // Units that need it are restarted too, or stay down if its start job fails.
    for (const [other, state] of others)
      if (answer.exitCode === 0) startUnit(world, other);
      else put(world, other, { ...state, active: 'inactive' });
    return answer;
  },
  stop: (world, unit) => {
    const known = world.units.get(unit);
    if (known === undefined && unitFile(world, unit) === undefined)
      return failed(5, `Failed to stop ${unit}: Unit ${unit} not loaded.`);
    if (known?.active === 'active') put(world, unit, { ...known, active: 'inactive' });
    for (const [other, { active }] of stopsWith(world, unit))
      if (active === 'active') verbs['stop']?.(world, other);
    return ok();
  },
  reload: (world, unit) => {
    const known = world.units.get(unit);
    if (known?.active !== 'active') return failed(1, `${unit} is not active, cannot reload.`);
    const [program] = wordsIn(known.text, 'Service', 'ExecReload');
    if (program === undefined && known.real?.CanReload !== 'yes')
      return failed(3, `Failed to reload ${unit}: Job type reload is not applicable for unit ${unit}.`);
    if (program?.endsWith('/false') === true)
      return failed(
        1,
        `Job for ${unit} failed.\nSee "systemctl status ${unit}" and "journalctl -xeu ${unit}" for details.`,
      );
    put(world, unit, { ...known, read: readBy(world, known.text), changed: known.changed + 1 });
    return ok();
  },
  'reset-failed': (world, unit) => {
    const known = world.units.get(unit);
    if (known === undefined || known.active === 'inactive')
      return failed(1, `Failed to reset failed state of unit ${unit}: Unit ${unit} not loaded.`);
    if (known.active === 'failed') put(world, unit, { ...known, active: 'inactive' });
    return ok();
  },
  enable: (world, name) => {
    const file = unitFile(world, posix.basename(name));
    if (file === undefined) return failed(1, `Failed to enable unit: Unit file ${name} does not exist.`);
    if (file.isMasked) return failed(1, `Failed to enable unit: Unit file ${file.path} is masked.`);
    if (!canEnable(file.text))
      return ok('', 'The unit files have no installation config (WantedBy=, RequiredBy=, Also=,\n');
    enable(world, posix.basename(name), []);
    reloadManager(world);
    return ok();
  },
};

function start(world: World, unit: string, verb: string): ReturnType<ToolModel> {
  const file = unitFile(world, unit);
  const known = world.units.get(unit);
  if (file === undefined && known?.real === undefined)
    return failed(5, `Failed to ${verb} ${unit}: Unit ${unit} not found.`);
  if (file?.isMasked === true) return failed(1, `Failed to ${verb} ${unit}: Unit ${unit} is masked.`);
  if (wordsIn(file?.text ?? '', 'Unit', 'RefuseManualStart').includes('yes'))
    return failed(
      4,
      `Failed to ${verb} ${unit}: Operation refused, unit ${unit} may be requested by dependency only (it is configured to refuse manual start/stop).\nSee system logs and 'systemctl status ${unit}' for details.`,
    );
  const state = startUnit(world, unit);
  // A unit without a file in the model becomes active with the properties that the real host
  // reported.
  if (state === undefined && known !== undefined)
    put(world, unit, { ...known, active: 'active', invocation: world.ids.uuid().replaceAll('-', '') });
  const isOneshot = wordsIn(state?.text ?? '', 'Service', 'Type').includes('oneshot');
  return isOneshot && state?.active === 'failed'
    ? failed(
        1,
        `Job for ${unit} failed because the control process exited with error code.\nSee "systemctl status ${unit}" and "journalctl -xeu ${unit}" for details.`,
      )
    : ok();
}

function enable(world: World, unit: string, done: readonly string[]): void {
  const file = unitFile(world, unit);
  if (file === undefined || done.includes(unit)) return;
  const link = (directory: string, name: string): void => {
    makeDir(world, directory, 0o755, true);
    const parent = resolve(world, directory, 'follow');
    if (!parent.found || resolve(world, posix.join(directory, name), 'keep').found) return;
    addInode(parent.tree, parent.ino, name, symlink(file.path));
  };
  const words = (key: string) => wordsIn(file.text, 'Install', key);
  for (const alias of words('Alias')) link('/etc/systemd/system', alias);
  for (const target of words('WantedBy')) link(`/etc/systemd/system/${target}.wants`, unit);
  for (const target of words('RequiredBy')) link(`/etc/systemd/system/${target}.requires`, unit);
  for (const also of words('Also')) enable(world, also, [...done, unit]);
}

function canEnable(text: string): boolean {
  return ['WantedBy', 'RequiredBy', 'Alias', 'Also'].some((key) => wordsIn(text, 'Install', key).length > 0);
}

function show(call: ToolCall): ReturnType<ToolModel> {
  const { world } = call;
  const [, property, dashes, asked = '', ...more] = call.argv;
  readOptions(call, { flags: ['--'], values: ['--property'] });
  if (property === `--property=${stopProperties}` && more.length === 0) {
    const names = stopsWith(world, asked).map(([name]) => name);
    return ok(
      stopProperties.replaceAll(
        /(\w+),?/g,
        (_, key) => `${String(key)}=${key === 'RequiredBy' ? names.join(' ') : ''}\n`,
      ),
    );
  }
  if (property === `--property=${conflictProperties}` && more.length === 0)
    return ok(`Conflicts=${conflicting(world, asked).join(' ')}\nConflictedBy=\n`);
  if (property !== `--property=${unitProperties}` || dashes !== '--' || more.length > 0)
    throw unmodelled(call, 'the model shows only the properties that bofh reads, of one unit');
  const file = unitFile(world, asked);
  const unit = file?.id ?? asked;
  const known = world.units.get(unit);
  const text = known === undefined || known.active === 'inactive' ? (file?.text ?? '') : known.text;
  const has = (key: string): boolean => wordsIn(text, 'Service', key).length > 0;
  const said = (yes: boolean): string => (yes ? 'yes' : 'no');
  const isLoaded = file !== undefined && !file.isMasked;
  const [stem] = unit.split('.');
  const triggers = ['socket', 'timer', 'path'].map((kind) => `${stem ?? ''}.${kind}`);
  const fileState = file?.isMasked === true ? 'masked' : canEnable(file?.text ?? '') ? 'disabled' : 'static';
  const all: Readonly<Record<string, string>> = {
    ...(unit.endsWith('.service')
      ? {
          Type: isLoaded ? (wordsIn(text, 'Service', 'Type')[0] ?? 'simple') : '',
          RemainAfterExit: said(wordsIn(text, 'Service', 'RemainAfterExit').includes('yes')),
        }
      : {}),
    Id: unit,
    TriggeredBy: unit.endsWith('.service')
      ? triggers.filter((each) => unitFile(world, each) !== undefined).join(' ')
      : '',
    LoadState: file === undefined ? 'not-found' : file.isMasked ? 'masked' : 'loaded',
    FragmentPath: file?.path ?? '',
    DropInPaths: '',
    UnitFileState: file === undefined ? '' : fileState,
    CanStart: said(isLoaded && !wordsIn(text, 'Unit', 'RefuseManualStart').includes('yes')),
    CanStop: said(!wordsIn(text, 'Unit', 'RefuseManualStop').includes('yes')),
    CanReload: said(isLoaded && has('ExecReload')),
    // The values of the real host, unless the plan has written the file.
    ...(file === undefined || !isWritten(world, file.path) ? { ...known?.real } : {}),
    StateChangeTimestampMonotonic: String(known?.changed ?? 0),
    ActiveState: known?.active ?? 'inactive',
    InvocationID: known === undefined || known.active === 'inactive' ? '' : known.invocation,
  };
  const isEnabled = isLoaded && fileState === 'disabled' && enabledBy(world, unit).length > 0;
  const now = isEnabled
    ? { ...all, UnitFileState: 'enabled' }
    : all['UnitFileState'] === 'enabled'
      ? { ...all, UnitFileState: 'disabled' }
      : all;
  return ok(
    Object.entries(now)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
}

/** Whether the file belongs to the model, and not to a real host. */
export function isWritten(world: World, path: string): boolean {
  const there = resolve(world, path, 'follow');
  return there.found && there.inode.real === undefined;
}

/** Returns the loaded units that need a unit, or are a part of it. */
function stopsWith({ units }: World, unit: string): readonly (readonly [string, UnitState])[] {
  const keys = ['Requires', 'Requisite', 'BindsTo', 'PartOf'];
  return [...units].filter(([, { text }]) => keys.some((key) => wordsIn(text, 'Unit', key).includes(unit)));
}

/** Returns the active units that a restart of a unit restarts too. */
function activeWith(world: World, unit: string): ReadonlyMap<string, UnitState> {
  const all = new Map<string, UnitState>();
  const open = [unit];
  for (let next = open.pop(); next !== undefined; next = open.pop())
    for (const [other, state] of stopsWith(world, next)) {
      if (state.active !== 'active' || all.has(other)) continue;
      all.set(other, state);
      open.push(other);
    }
  return all;
}

/** Returns the units that a unit conflicts with, and the loaded ones that conflict with it. */
function conflicting(world: World, unit: string): readonly string[] {
  const own = wordsIn(unitFile(world, unit)?.text ?? '', 'Unit', 'Conflicts');
  const others = [...world.units].flatMap(([name, { text }]) =>
    wordsIn(text, 'Unit', 'Conflicts').includes(unit) ? [name] : [],
  );
  return [...new Set([...own, ...others])];
}

function isActive({ units }: World, unit: string): boolean {
  return units.get(unit)?.active === 'active';
}

function put({ units }: World, unit: string, state: UnitState): void {
  units.set(unit, state);
}
