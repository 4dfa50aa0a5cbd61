import { type Fingerprint, fingerprint, until } from '../rig/index.ts';
import {
  background,
  createCommand,
  dismissGuest,
  expectAsBefore,
  guest,
  keepGuest,
  run,
  type Stage,
} from './stage.ts';
import { injected, type Trial } from './trials.ts';

const group = 'vm create, power cut';
/** What was not flushed to the disks is lost too. */
export const unflushedLost = 'power cut, writes that were not flushed are lost';

/**
 * The power fails once the n-th line is on the disk. SIGSTOP, injected at its fdatasync, holds bofh there; then the
 * emulator is killed, the host boots from its disks, and recovery must find it as a plain reboot leaves it.
 */
export function powerCutAt(n: number, unflushed: 'kept' | 'lost' = 'kept'): Trial {
  return {
    group: unflushed === 'kept' ? group : unflushedLost,
    name: `${unflushed === 'kept' ? '' : 'vm create, '}at line ${n}, boot, recover`,
    run: async (stage) => {
      const victim = await background(stage, injected(createCommand, `signal=SIGSTOP:when=${n}`));
      await until({
        what: `line ${n} is written`,
        timeoutMs: 300_000,
        everyMs: 200,
        probe: async () => ((await stopped(stage, victim.pid)) ? true : undefined),
      });
      await cut(stage, unflushed);
      await victim.ended;
      await run(stage, 'bofh recover --yes', 0);
      await expectAsBefore(stage);
      return 'as before';
    },
  };
}

/** After success was reported all of it is on the disk: each file of the root by its content, the config, the volumes. */
export const powerCutAfterSuccess: Trial = {
  group,
  name: 'right after success was reported: every file is there',
  run: (stage) => outlivesCut(stage, 'kept'),
};

/** The guest that a power cut has left is whole, and bofh can take it away again. */
export async function outlivesCut(stage: Stage, unflushed: 'kept' | 'lost'): Promise<'as after'> {
  await cutAfterSuccess(stage, unflushed);
  await dismissGuest(stage);
  return 'as after';
}

/** Makes a guest, cuts the power at once, and looks whether all of it is there. It runs then, and is kept. */
export async function cutAfterSuccess(stage: Stage, unflushed: 'kept' | 'lost'): Promise<void> {
  const { machine } = stage;
  await run(stage, createCommand, 0);
  const { stdout: config } = await machine.run(`cat /etc/xen/${guest}.cfg`);
  await cut(stage, unflushed);
  if ((await machine.run(`cat /etc/xen/${guest}.cfg`)).stdout !== config)
    throw new Error('the config file is not as it was');
  const { stdout } = await machine.run(
    `e2fsck -fn /dev/vg0/${guest}-root >/dev/null || echo "e2fsck: $?"
       mkdir -p /run/rig-look && mount -o ro /dev/vg0/${guest}-root /run/rig-look
       tar --diff --file /srv/guest.tar --directory /run/rig-look 2>&1 | grep -v -E '(^|/)etc/(hostname|fstab): (Size|Mod time|Contents|Mode|Uid|Gid) differ'
       cat /run/rig-look/etc/hostname; umount /run/rig-look; rmdir /run/rig-look
       ls /var/lib/bofh/journal | grep -c 'journal$'`,
    { check: 'return' },
  );
  if (stdout.trim() !== `${guest}\n0`) throw new Error(`not everything is there:\n${stdout}`);
  await run(stage, `bofh xen start ${guest}`, 0);
  await keepGuest(stage);
}

/** The trials of a power cut start from a host that was booted, not from one on which a guest already runs. */
export async function bootedStage(stage: Stage): Promise<void> {
  await stage.machine.run('sync');
  await cut(stage);
  stage.start = await settled(stage);
}

/** The power fails and comes back. */
export async function cut(stage: Stage, unflushed: 'kept' | 'lost' = 'kept'): Promise<void> {
  await stage.machine.powerCut({ unflushed });
  await stage.machine.boot();
}

async function settled(stage: Stage): Promise<Fingerprint> {
  await stage.machine.run('udevadm settle');
  return fingerprint(stage.machine);
}

/** strace's child is stopped: its state is T, or t as its tracer sees it. */
async function stopped(stage: Stage, strace: number): Promise<boolean> {
  const { stdout } = await stage.machine.run(
    `for child in $(cat /proc/${strace}/task/${strace}/children); do sed 's/.*) //' /proc/$child/stat; done`,
    { check: 'return' },
  );
  return /^[tT] /m.test(stdout);
}
