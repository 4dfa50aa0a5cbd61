import { installBofh } from '../dom0/install.ts';
import {
  bootMachine,
  defaultSuite,
  type Fingerprint,
  fingerprint,
  guestConfig,
  type Hypervisor,
  makeGuest,
  type Machine,
  removeAllFaults,
  type Suite,
  until,
} from '../rig/index.ts';

/** A dom0 with bofh on it, and with foreign objects whose names are like those that the trials create. */
export interface Stage {
  readonly machine: Machine;
  /** What every trial starts from and, when it ends as before, has to leave. */
  start: Fingerprint;
  /** Content of the foreign volumes. */
  readonly foreign: string;
  /** The host with the guest on it, as long as it is there: what trials of `vm remove` start from. */
  made?: Fingerprint | undefined;
}

/** The guest of all trials. */
export const guest = 'web1';

export const createCommand = `bofh vm create ${guest} --source tar:/srv/guest.tar --size 64m --swap 16m --memory 96m --start`;
export const removeCommand = `bofh --yes vm remove ${guest} --force-off`;

const foreignVolumes = ['web1', 'web1-root2', 'xweb1-root', 'web1-swapper'];

/** What a stage is. */
export interface StageOptions {
  readonly suite?: Suite;
  /** `none`: without guests, for what needs no Xen. It is the same Debian, and faster under emulation. */
  readonly hypervisor?: Hypervisor;
  readonly writes?: 'kept' | 'volatile';
  readonly cpus?: number;
}

/** Boots, installs, and puts the foreign objects there: volumes, config files, and with Xen a guest that runs. */
export async function openStage(
  progress: (text: string) => void,
  { suite = defaultSuite(), hypervisor = 'xen', writes = 'kept', cpus }: StageOptions = {},
): Promise<Stage> {
  const machine = await bootMachine({
    ...{ suite, hypervisor, name: 'dom0', progress, writes },
    ...(cpus === undefined ? {} : { cpus }),
  });
  try {
    await installBofh(machine);
    for (const name of foreignVolumes)
      await machine.run(
        `lvcreate --quiet -y -W y -L 8M -n ${name} vg0 && yes ${name} | dd of=/dev/vg0/${name} bs=64k count=16 iflag=fullblock conv=fsync status=none`,
      );
    await machine.putText('/etc/xen/web1.cfg.bak', 'not a guest of ours\n');
    if (hypervisor === 'xen') {
      await makeGuest(machine, { name: 'web10' });
      await machine.run('xl create /etc/xen/web10.cfg');
    }
    const stage = { machine, start: await fingerprint(machine), foreign: await foreignContent(machine) };
    await machine.saveSnapshot('start');
    return stage;
  } catch (error) {
    await machine.close();
    throw error;
  }
}

/** Compares the host with the start: throws what differs. */
export async function expectAsBefore(stage: Stage): Promise<void> {
  const difference = stage.start.diff(await fingerprint(stage.machine));
  if (difference !== '') throw new Error(`the host is not as before:\n${difference}`);
  await expectForeign(stage);
}

/** The foreign volumes, byte for byte. */
export async function expectForeign(stage: Stage): Promise<void> {
  if ((await foreignContent(stage.machine)) !== stage.foreign)
    throw new Error('a foreign volume was changed');
}

/** The guest is there whole: volumes, config, domain, and no journal is open. */
async function expectAsAfter(stage: Stage): Promise<void> {
  const { stdout } = await stage.machine.run(
    `lvs --noheadings -o lv_name vg0 | grep -c -E '^ *${guest}-(root|swap) *$'; test -f /etc/xen/${guest}.cfg && echo config; xl list | grep -c '^${guest} '; ls /var/lib/bofh/journal | grep -c journal$`,
    { check: 'return' },
  );
  const words = stdout.trim().split('\n').join(' ');
  if (words !== '2 config 1 0')
    throw new Error(`the guest is not whole (volumes, config, domain, open journals): ${words}`);
  await expectForeign(stage);
}

/** A command of bofh must end with one of these exit codes. */
export async function run(stage: Stage, command: string, ...codes: readonly number[]): Promise<string> {
  const done = await stage.machine.run(`${command} 2>&1`, { check: 'return', timeoutMs: 240_000 });
  if (!codes.includes(done.exitCode))
    throw new Error(`"${command}" ended with ${done.exitCode}, not ${codes.join(' or ')}:\n${done.stdout}`);
  return done.stdout;
}

/** Back to the start from the state after: by bofh itself, which is a trial of its own kind. */
export async function removeGuest(stage: Stage): Promise<void> {
  await run(stage, removeCommand, 0);
  await expectAsBefore(stage);
}

/** The guest, made once for all trials that start from it and end as before. */
export async function haveGuest(stage: Stage): Promise<void> {
  if (stage.made !== undefined) return;
  await run(stage, createCommand, 0);
  await keepGuest(stage);
}

/**
 * The guest that a trial has made is whole, and stays: for the next one if that starts from it, and before any other bofh itself
 * takes it away, which is compared with the start.
 */
export async function keepGuest(stage: Stage): Promise<void> {
  await expectAsAfter(stage);
  stage.made = await fingerprint(stage.machine);
}

/** Throws what differs from the host with the guest on it. */
export async function expectGuest(stage: Stage): Promise<void> {
  const difference = stage.made?.diff(await fingerprint(stage.machine)) ?? 'it was not made by this trial';
  if (difference !== '') throw new Error(`the guest is not as before:\n${difference}`);
  await expectForeign(stage);
}

/** The host without the guest again, by bofh itself. */
export async function dismissGuest(stage: Stage): Promise<void> {
  if (stage.made === undefined) return;
  stage.made = undefined;
  await removeGuest(stage);
}

/** From wherever a trial that failed has left it. */
export async function reset(stage: Stage): Promise<void> {
  stage.made = undefined;
  await stage.machine.loadSnapshot('start');
  await removeAllFaults(stage.machine);
}

/** A test that fails must not fail those after it. */
export async function resetAfterFailure(stage: Stage, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    await reset(stage);
    throw error;
  }
}

export interface Background {
  /** Of the process itself, not of the shell around it. */
  readonly pid: number;
  /** Ends with it. */
  readonly ended: Promise<{ readonly exitCode: number; readonly output: string }>;
}

let victims = 0;

/** Starts a command and gives its pid. */
export async function background(stage: Pick<Stage, 'machine'>, command: string): Promise<Background> {
  const { machine } = stage;
  const file = `/run/rig-victim-${(victims += 1)}`;
  await machine.run(`rm -f ${file}`);
  const ended = machine
    .run(`sh -c 'echo $$ > ${file}.new; mv ${file}.new ${file}; exec ${command}' 2>&1`, {
      check: 'return',
      timeoutMs: 300_000,
    })
    .then(
      ({ exitCode, stdout }) => ({ exitCode, output: stdout }),
      (error: unknown) => ({ exitCode: -1, output: String(error) }),
    );
  const pid = await until({
    what: `${command} has begun`,
    timeoutMs: 30_000,
    everyMs: 100,
    probe: async () => {
      const { stdout } = await machine.run(`cat ${file} 2>/dev/null`, { check: 'return' });
      return stdout.trim() === '' ? undefined : Number(stdout);
    },
  });
  return { pid, ended };
}

/**
 * A foreign guest with the name of ours, on volumes of its own; bofh does not look in the directory of its
 * config.
 */
export async function foreignGuestConfig(stage: Stage): Promise<string> {
  await stage.machine.run(
    'lvcreate --quiet -y -W y -L 64M -n stranger vg0 && mkfs.ext4 -q /dev/vg0/stranger && mkdir -p /run/rig-guest && mount /dev/vg0/stranger /run/rig-guest && tar -x -f /srv/guest.tar -C /run/rig-guest && umount /run/rig-guest',
  );
  await stage.machine.putText('/root/stranger.cfg', guestConfig({ name: guest, lv: '/dev/vg0/stranger' }));
  return '/root/stranger.cfg';
}

async function foreignContent(machine: Machine): Promise<string> {
  const paths = foreignVolumes.map((name) => `/dev/vg0/${name}`).join(' ');
  return (await machine.run(`sha256sum ${paths} /etc/xen/web1.cfg.bak`)).stdout;
}
