import { commandWords } from '../command/index.ts';
import type { ManualRecovery } from '../core/errors.ts';
import { xlBlockAttach, xlBlockDetach, xlCreate, xlNetworkAttach, xlNetworkDetach } from './commands.ts';
import type { GivenDisk, GivenInterface } from './schema.ts';

interface Guest {
  readonly name: string;
  readonly uuid: string;
  readonly config: string;
  readonly initially: 'running' | 'paused';
}

/** Manual recovery for a guest that was started. */
export function startedRecovery({
  undo: { name, uuid },
  result,
}: {
  readonly undo: Guest;
  readonly result?: { readonly domid: number };
}): ManualRecovery {
  const id = result === undefined ? '' : `, domain ${String(result.domid)}`;
  return {
    what: `the guest ${name} (uuid ${uuid}${id})`,
    look: [['xl', 'list', '-v']],
    clear: [['xl', 'destroy', name]],
  };
}

/** Manual recovery for a guest whose shutdown was started, or planned. */
export function stoppedRecovery({
  undo,
}: {
  readonly undo: Guest & { readonly domid: number; readonly marker: string };
}): ManualRecovery {
  return {
    what: `the guest ${undo.name} (uuid ${undo.uuid}), domain ${String(undo.domid)} before it was shut down`,
    look: [
      ['xl', 'list', '-v'],
      ['ls', '-l', '/run/bofh'],
    ],
    clear: [commandWords(xlCreate(undo)), ['rm', '--force', undo.marker, `${undo.marker}.late`]],
  };
}

/** Manual recovery for a setting of a running guest: the old value, by the name of the guest. */
export function settingRecovery({
  undo: { name, uuid, setting, from, scheduler = 'credit2' },
}: {
  readonly undo: {
    readonly name: string;
    readonly uuid: string;
    readonly setting: 'memory' | 'vcpus' | 'weight' | 'paused';
    readonly from: number;
    readonly scheduler?: 'credit' | 'credit2';
  };
}): ManualRecovery {
  const value = String(from);
  const back = {
    memory: ['xl', 'mem-set', name, `${value}k`],
    vcpus: ['xl', 'vcpu-set', '--ignore-host', name, value],
    weight: ['xl', `sched-${scheduler}`, '-d', name, '-w', value],
    paused: ['xl', from === 1 ? 'pause' : 'unpause', name],
  }[setting];
  return {
    what: `${setting} of the guest ${name} (uuid ${uuid}), which was ${value}${setting === 'memory' ? ' KiB' : ''}`,
    look: [
      ['xl', 'list', '-v'],
      ['xl', 'list', '-l', name],
    ],
    clear: [back],
  };
}

/** Asks the guest agent to thaw, as `agentThaw` does, in one line that can be typed. */
const thaw = `$s = IO::Socket::UNIX->new(shift) or die "$!\\n"; print $s qq({"execute":"guest-fsfreeze-thaw"}\\n); print scalar <$s>`;

/** Manual recovery for a guest whose filesystems were frozen. */
export function freezeRecovery({
  undo: { name, uuid, domid, socket },
}: {
  readonly undo: {
    readonly name: string;
    readonly uuid: string;
    readonly domid: number;
    readonly socket: string;
  };
}): ManualRecovery {
  return {
    what: `the frozen filesystems of the guest ${name} (uuid ${uuid}, domain ${String(domid)}), which must run, not paused, to be thawed; a restart of the guest ends the freeze too`,
    look: [['xl', 'list', '-v']],
    clear: [['perl', '-MIO::Socket::UNIX', '-e', thaw, socket]],
  };
}

/**
 * Manual recovery for a disk of a running guest, by the name of the guest, because another guest may have the
 * domain ID then.
 */
export function diskRecovery({
  undo: { name, uuid, vdev, from, to },
}: {
  readonly undo: {
    readonly name: string;
    readonly uuid: string;
    readonly vdev: string;
    readonly from: Omit<GivenDisk, 'vdev'> | null;
    readonly to: Omit<GivenDisk, 'vdev'> | null;
  };
}): ManualRecovery {
  const back = from === null ? xlBlockDetach({ id: name, vdev }) : xlBlockAttach({ id: name, vdev, ...from });
  return {
    what: `the disk ${vdev} of the guest ${name} (uuid ${uuid}), ${from?.path ?? to?.path ?? ''}, ${from === null ? 'which it did not have' : 'which it had'} before`,
    look: [
      ['xl', 'list', '-v'],
      ['xl', 'block-list', name],
    ],
    clear: [commandWords(back)],
  };
}

/** Manual recovery for a network interface of a running guest, by the name of the guest. */
export function interfaceRecovery({
  undo: { name, uuid, mac, from, to },
}: {
  readonly undo: {
    readonly name: string;
    readonly uuid: string;
    readonly mac: string;
    readonly from: Omit<GivenInterface, 'mac'> | null;
    readonly to: Omit<GivenInterface, 'mac'> | null;
  };
}): ManualRecovery {
  const back =
    from === null ? xlNetworkDetach({ id: name, mac }) : xlNetworkAttach({ id: name, mac, ...from });
  return {
    what: `the interface ${mac} of the guest ${name} (uuid ${uuid}) on ${(from ?? to)?.bridge ?? ''}, ${from === null ? 'which it did not have' : 'which it had'} before`,
    look: [
      ['xl', 'list', '-v'],
      ['xl', 'network-list', name],
    ],
    clear: [commandWords(back)],
  };
}
