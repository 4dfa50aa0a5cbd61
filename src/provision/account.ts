import { readKeys } from '../account/as-user.ts';
import { processesOf } from '../account/commands.ts';
import { refuseMissingShell } from '../account/create-user.ts';
import {
  existingGroup,
  groupNamed,
  groupsOf,
  refuseElsewhere,
  refuseRunning,
  userNamed,
  usersOf,
} from '../account/database.ts';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { refusePrimary } from '../account/remove-group.ts';
import { isLocked, shadowOf } from '../account/shadow.ts';
import { present } from '../core/present.ts';
import { keyInWords } from '../core/public-key.ts';
import { type Resource, stoppedBefore } from './resource.ts';
import type { Step } from './steps.ts';

type GroupResource = Extract<Resource, { readonly kind: 'group' }>;
type UserResource = Extract<Resource, { readonly kind: 'user' }>;

/** Returns how a group differs, and the step that changes it. */
export async function groupStep(
  host: ReadHost,
  { name, wanted: { gid, system, absent } }: GroupResource,
  all: readonly Resource[],
): Promise<Step | undefined> {
  const there = await groupNamed(host, name);
  if (absent === true && there !== undefined) {
    const owner = (await usersOf(host)).find((each) => each.gid === there.gid)?.name;
    // userdel removes the user's own group.
    if (owner === name && all.some((one) => one.kind === 'user' && one.name === name && one.wanted.absent))
      return undefined;
    return {
      ...{ action: 'remove', kind: 'group', name, details: [] },
      check: () => refusePrimary(host, there),
      claims: { changes: [`group:${name}`, `gid:${String(there.gid)}`] },
      run: (tx) => tx.account.removeGroup({ name }),
    };
  }
  if (there === undefined) {
    await refuseElsewhere(host, 'group', name);
    if (absent === true) return undefined;
    return {
      ...{ action: 'create', kind: 'group', name, details: gid === undefined ? [] : [`gid ${String(gid)}`] },
      claims: { changes: [`group:${name}`, ...(gid === undefined ? [] : [`gid:${String(gid)}`])] },
      run: async (tx, say) => {
        const made = await tx.account.createGroup({ name, ...present({ gid, system }) });
        if (gid === undefined) say(`gid ${String(made.gid)}`);
      },
    };
  }
  if (gid !== undefined && gid !== there.gid) throw anotherNumber('group', name, [there.gid, gid]);
  return undefined;
}

/** Returns how a user differs, and the step that changes it. */
export async function userStep(
  host: ReadHost,
  one: UserResource,
  { resources, planning }: { readonly resources: readonly Resource[]; readonly planning: boolean },
): Promise<Step | undefined> {
  const { name, wanted } = one;
  const { uid, group, groups = [], shell, home, comment, system, authorizedKeys, password } = wanted;
  const there = await userNamed(host, name);
  if (wanted.absent === true && there !== undefined)
    return {
      ...{ action: 'remove', kind: 'user', name, details: [`${there.home} stays`] },
      check: () => refuseRunning(host, there, stoppedBefore(resources, one)),
      claims: { changes: [`user:${name}`] },
      run: async (tx) => {
        // A plan stops no service, so its processes still run.
        if (planning && (await host.run(processesOf(there.uid))).length > 0) return;
        await tx.account.removeUser({ name });
      },
    };
  if (there === undefined) {
    await refuseElsewhere(host, 'passwd', name);
    if (wanted.absent === true) return undefined;
  } else if (uid !== undefined && uid !== there.uid) throw anotherNumber('user', name, [there.uid, uid]);
  else if (group !== undefined) {
    const { gid } = await existingGroup(host, group);
    if (gid !== there.gid)
      throw new RefusedError(
        `the user ${name} has another primary group (gid ${String(there.gid)}) than ${String(group)}`,
        { remedy: `usermod --gid ${String(group)} ${name}` },
      );
  }
  const all = await groupsOf(host);
  const joined = groups.filter((each) => {
    const found = all.find(({ name: of }) => of === each);
    return found?.members.includes(name) !== true && !(there !== undefined && found?.gid === there.gid);
  });
  const set = (['shell', 'home', 'comment'] as const).filter(
    (key) => there !== undefined && wanted[key] !== undefined && wanted[key] !== there[key],
  );
  const before =
    there === undefined || authorizedKeys === undefined ? undefined : await keysThere(host, there);
  const keys = authorizedKeys === undefined ? undefined : differingKeys(before ?? [], authorizedKeys);
  const isSet = password !== undefined && !(await hasPassword(host, there, password));
  const isOwn = there === undefined && group === undefined && (await groupNamed(host, name)) === undefined;
  const details = [
    ...(isOwn ? ['with a group of that name'] : []),
    ...(there === undefined ? inWords({ uid, group, home, shell, comment }) : []),
    ...set.map((key) => `${key} ${there?.[key] ?? ''} → ${wanted[key] ?? ''}`),
    ...(isSet ? [password === 'locked' ? 'locks the password' : 'sets the password'] : []),
    ...joined.map((each) => `joins ${each}`),
    ...(keys?.added ?? []).map((key) => `adds the key ${keyInWords(key)}`),
    ...(keys?.removed ?? []).map((key) => `removes the key ${keyInWords(key)}`),
  ];
  if (there !== undefined && details.length === 0) return undefined;
  const changesKeys = (keys?.added.length ?? 0) + (keys?.removed.length ?? 0) > 0;
  const homeOf = home ?? there?.home ?? `/home/${name}`;
  return {
    ...{ action: there === undefined ? 'create' : 'change', kind: 'user', name, details },
    claims: {
      changes: [
        ...(there === undefined || set.length > 0 ? [`user:${name}`] : []),
        ...(there === undefined ? [`file:${homeOf}`] : []),
        ...(isOwn ? [`group:${name}`] : []),
        ...(isSet ? [`password:${name}`] : []),
        ...joined.map((each) => `member:${name}@${each}`),
        ...(changesKeys ? [`keys:${name}`, `file:${homeOf}/.ssh/authorized_keys`] : []),
      ],
      needs: [`user:${name}`, ...joined.map((each) => `group:${each}`)],
    },
    check: async () => {
      // usermod does not change the home of a user with processes.
      if (there !== undefined && set.includes('home')) await refuseRunning(host, there);
      for (const each of joined) await existingGroup(host, each);
      if (shell !== undefined && shell !== there?.shell) await refuseMissingShell(host, shell);
    },
    run: async (tx, say) => {
      if (there === undefined) {
        if (isOwn) await tx.account.createGroup({ name, ...present({ gid: uid, system }) });
        const request = present({ uid, group, shell, home, comment, system });
        const made = await tx.account.createUser({ name, ...request });
        if (uid === undefined) say(`uid ${String(made.uid)}`);
      } else if (set.length > 0)
        await tx.account.setUser({
          name,
          ...present(Object.fromEntries(set.map((key) => [key, wanted[key]]))),
        });
      if (isSet) await tx.account.setPassword({ user: name, password });
      for (const each of joined) await tx.account.setMembership({ user: name, group: each, member: true });
      if (authorizedKeys !== undefined && changesKeys)
        await tx.account.setKeys({ user: name, keys: [...authorizedKeys] });
    },
  };
}

/** Whether a user has this password. A new user has none, and is locked. */
async function hasPassword(
  host: ReadHost,
  there: { readonly name: string } | undefined,
  password: string,
): Promise<boolean> {
  if (there === undefined) return password === 'locked';
  const now = await shadowOf(host, there.name);
  return password === 'locked' ? isLocked(now) : now.hash === password;
}

/** Returns the lines of authorized_keys except comments. */
async function keysThere(host: ReadHost, user: Parameters<typeof readKeys>[0]): Promise<readonly string[]> {
  if ((await host.stat(user.home))?.kind !== 'directory') return [];
  const text = (await host.run(readKeys(user))) ?? '';
  return Buffer.from(text, 'latin1')
    .toString('utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
}

function differingKeys(before: readonly string[], wanted: readonly string[]) {
  return {
    added: wanted.filter((key) => !before.includes(key)),
    removed: before.filter((key) => !wanted.includes(key)),
  };
}

function inWords(of: Readonly<Record<string, string | number | undefined>>): readonly string[] {
  return Object.entries(of).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key} ${String(value)}`],
  );
}

function anotherNumber(
  what: 'user' | 'group',
  name: string,
  [there, wanted]: readonly [number, number],
): RefusedError {
  return new RefusedError(
    `the ${what} ${name} has the ${what === 'user' ? 'uid' : 'gid'} ${String(there)}, but the description says ${String(wanted)}`,
    { remedy: 'correct the description: bofh does not change a uid or gid, because files keep the old one' },
  );
}
