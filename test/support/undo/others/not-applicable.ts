import type { FaultName } from '../fault-names.ts';

interface NotApplicable {
  readonly reason: string;
  readonly kinds: ReadonlySet<string>;
}

/** Operations for which what others do makes no trial, with the reason. The run checks that it is true. */
export const notApplicable: Partial<Readonly<Record<FaultName, NotApplicable>>> = {
  'foreign content': {
    reason: 'it leaves nothing before the commit that others could write to',
    kinds: kinds({
      block: 'loop.detach',
      lvm: 'pv.resize pv.remove thinpool.resize lv.deactivate snapshot.merge',
      filesystem: 'repair trim',
      mount: 'bind',
      crypt: 'close close.deferred key.remove reencrypt erase',
      btrfs: 'device.replace balance',
      drbd: 'adjust resize uuid.create invalidate invalidate.remote verify down',
      xen: 'domain.create domain.freeze domain.set interface.set domain.shutdown',
    }),
  },
  'identity reused': {
    reason: 'it creates nothing before the commit that another object of the same name could replace',
    kinds: kinds({
      block: 'loop.detach',
      lvm: 'vg.extend vg.reduce vg.rename pv.resize vg.remove pv.remove thinpool.resize lv.deactivate lv.convert snapshot.merge',
      filesystem: 'repair trim',
      crypt: 'close close.deferred resize key.remove reencrypt erase',
      btrfs:
        'device.add device.replace subvolume.remove scrub balance quota.set qgroup.limit default.set property.set',
      drbd: 'attach detach connect disconnect sync.pause sync.resume adjust resize uuid.create invalidate invalidate.remote verify down secondary',
      xen: 'domain.freeze domain.set interface.set domain.shutdown',
    }),
  },
  'the world moved on': {
    reason: 'it has nothing left to do after the commit',
    kinds: kinds({
      block: 'image.create loop.attach loop.detach wipe partition.table.create partition.add partition.grow',
      lvm: 'pv.create lv.create thinpool.create vg.create vg.extend vg.reduce vg.rename pv.resize pv.move lv.activate lv.deactivate snapshot.create lv.rename lv.tag',
      filesystem: 'create image.create label trim',
      file: 'attributes create directory.create',
      mount:
        'mount bind unmount fstab.add fstab.remove fstab.change crypttab.add crypttab.remove crypttab.change',
      copy: 'debian unpack save files image',
      crypt: 'header.backup format format.detached header.restore open close resize key.add',
      btrfs: 'device.add device.remove send scrub balance quota.set qgroup.limit default.set property.set',
      drbd: 'config.create metadata.create metadata.remove down',
      xen: 'domain.create domain.freeze domain.set disk.set interface.set domain.shutdown',
      service: 'enablement activity settle.open settle.close',
    }),
  },
  'out of reach': {
    reason: 'it uses nothing that others could close, deactivate or unmount on a host that still works',
    kinds: kinds({
      account: 'group.create group.remove membership password user.remove user.set',
      block: 'partition.table.create partition.add',
      lvm: 'pv.create pv.remove pv.resize vg.create vg.extend vg.reduce vg.remove thinpool.create',
      mount: 'crypttab.remove crypttab.change',
      packages: 'change update',
      service: 'enablement activity settle.open settle.close',
      shell: 'run',
    }),
  },
  'hangs in the undo at boot': {
    reason: 'its undo after a boot starts no program that changes anything',
    kinds: kinds({
      block: 'image.create loop.attach loop.detach',
      lvm: 'pv.remove thinpool.resize lv.activate lv.deactivate snapshot.merge',
      filesystem: 'image.create repair trim',
      file: 'change create directory.create link remove',
      mount: 'mount bind unmount',
      crypt: 'header.backup format.detached open close close.deferred resize key.remove reencrypt erase',
      copy: 'debian save',
      btrfs: 'device.replace send scrub balance',
      drbd: 'attach detach connect disconnect sync.pause sync.resume adjust resize uuid.create invalidate invalidate.remote verify config.create config.remove up down primary secondary',
      xen: 'domain.create domain.freeze domain.set disk.set interface.set domain.shutdown',
      service: 'activity settle.close',
    }),
  },
};

function kinds(of: Readonly<Record<string, string>>): ReadonlySet<string> {
  return new Set(
    Object.entries(of).flatMap(([driver, names]) => names.split(' ').map((name) => `${driver}.${name}`)),
  );
}
