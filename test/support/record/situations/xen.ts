import {
  xlBlockAttach,
  xlBlockDetach,
  xlCheck,
  xlCreate,
  xlDestroy,
  xlDisks,
  xlInfo,
  xlInterfaces,
  xlList,
  xlListLong,
  xlNetworkAttach,
  xlNetworkDetach,
  xlShutdown,
} from '../../../../src/xen/commands.ts';
import { guestConfig } from '../../rig/index.ts';
import type { Group } from '../situation.ts';

const uuid = '11111111-2222-4333-8444-555555555555';
const other = '11111111-2222-4333-8444-666666666666';
const third = '11111111-2222-4333-8444-777777777777';

/** Shell: a config file, as the image's guest has it but for what is said. */
function config(name: string, change: (text: string) => string = (text) => text): string {
  return `cat > /etc/xen/${name}.cfg <<'CONFIG'\n${change(guestConfig({ name, lv: `/dev/vg0/${name}` }))}CONFIG`;
}

const create = (name: string, id = third) => xlCreate({ config: `/etc/xen/${name}.cfg`, uuid: id });
const check = (name: string) => xlCheck({ config: `/etc/xen/${name}.cfg`, uuid });
/** No domain has it. Those of the others are how many `xl create` had begun by then, those that failed among them. */
const none = 77;

const plug = (path: string, id = 7) => xlBlockAttach({ id, vdev: 'xvdb', path, access: 'rw' });
const mac = '00:16:3e:00:00:09';
const connect = (bridge: string, id = 7) => xlNetworkAttach({ id, mac, bridge });
const disconnect = (id = 7) => xlNetworkDetach({ id, mac });
const unplug = (id = 7) => xlBlockDetach({ id, vdev: 'xvdb' });

/** Shell: waits until a guest of this name is in such a state of `xl list`. */
const until = (name: string, state: string): string =>
  `until xl list | grep -q '^${name} .* ${state} '; do sleep 0.5; done`;

/** A guest in every state that can be had by hand, and all that `xl create` says when it fails. */
export const xen: Group = {
  name: 'xen',
  hypervisor: 'xen',
  situations: [
    { name: 'xl/info', command: xlInfo(), answers: 'parsed' },
    { name: 'xl/info-not-root', command: xlInfo(), as: 'nobody', answers: 'denied' },
    { name: 'xl/list-alone', command: xlList(), answers: 'parsed' },
    { name: 'xl/list-long-alone', command: xlListLong(), answers: 'parsed' },
    { name: 'xl/list-not-root', command: xlList(), as: 'nobody', answers: 'denied' },
    { name: 'xl/check-missing-file', command: check('nosuch'), answers: 'not-found' },
    {
      name: 'xl/check-bad-quote',
      given: config('bad', () => 'name = "bad\n'),
      command: check('bad'),
      answers: 'unknown',
    },
    {
      name: 'xl/check-no-name',
      given: config('noname', (text) => text.replace(/^name.*\n/, '')),
      command: check('noname'),
      answers: 'unknown',
    },
    {
      name: 'xl/check-bad-disk',
      given: config('baddisk', (text) => text.replace(/^disk.*$/m, 'disk = ["nonsense"]')),
      command: check('baddisk'),
      answers: 'unknown',
    },
    {
      name: 'xl/create-no-disk',
      given: config('nodisk'),
      command: create('nodisk'),
      answers: 'not-found',
    },
    {
      name: 'xl/create-no-kernel',
      given: `lvcreate --quiet -y -W y -L 8M -n blank vg0; ${config('nokernel', (text) =>
        text.replace('guest-vmlinuz', 'nosuch').replace('vg0/nokernel', 'vg0/blank'),
      )}`,
      command: create('nokernel'),
      answers: 'not-found',
    },
    {
      name: 'xl/create-no-ramdisk',
      given: config('noram', (text) =>
        text.replace('guest-initrd', 'nosuch').replace('vg0/noram', 'vg0/blank'),
      ),
      command: create('noram'),
      answers: 'not-found',
    },
    {
      name: 'xl/create-no-memory',
      given: config('large', (text) =>
        text.replace('memory = 96', 'memory = 900000').replace('vg0/large', 'vg0/blank'),
      ),
      command: create('large'),
      answers: 'no-space',
    },
    {
      name: 'xl/create-no-bridge',
      given: config(
        'nobridge',
        (text) => `${text.replace('vg0/nobridge', 'vg0/blank')}vif = ["bridge=nobr0"]\n`,
      ),
      command: create('nobridge'),
      answers: 'not-found',
    },
    {
      name: 'xl/create-disk-mounted',
      given: `
        lvcreate --quiet -y -W y -L 128M -n web1 vg0; mkfs.ext4 -q /dev/vg0/web1; mount /dev/vg0/web1 /mnt
        tar -x -f /srv/guest.tar -C /mnt; echo web1 > /mnt/etc/hostname
        ${config('web1')}`,
      command: create('web1', uuid),
      answers: 'busy',
    },
    { name: 'xl/check-good', given: 'umount /mnt', command: check('web1'), answers: 'parsed' },
    { name: 'xl/create', command: create('web1', uuid), answers: 'parsed' },
    {
      name: 'xl/list-running',
      given: 'until grep -qs "guest web1 up" /var/log/xen/console/guest-web1.log; do sleep 0.5; done',
      command: xlList(),
      answers: 'parsed',
    },
    { name: 'xl/list-long-running', command: xlListLong(), answers: 'parsed' },
    { name: 'xl/create-name-exists', command: create('web1', other), answers: 'exists' },
    {
      name: 'xl/create-disk-used-by-guest',
      given: config('used', (text) => text.replace('vg0/used', 'vg0/web1')),
      command: create('used'),
      answers: 'busy',
    },
    {
      name: 'xl/block-attach-no-device',
      command: plug('/dev/vg0/nosuch'),
      answers: 'not-found',
    },
    {
      name: 'xl/block-attach-mounted',
      given:
        'lvcreate --quiet -y -W y -L 32M -n plug vg0; mkfs.ext4 -q /dev/vg0/plug; mount /dev/vg0/plug /mnt',
      command: plug('/dev/vg0/plug'),
      answers: 'busy',
    },
    {
      name: 'xl/block-attach-its-own',
      // What the script refused stays in the store until it is taken away. xl gives a guest the same device twice.
      given: 'xl block-detach 7 xvdb; umount /mnt',
      command: plug('/dev/vg0/web1'),
      answers: 'parsed',
    },
    {
      name: 'xl/block-attach-no-such',
      given: 'xl block-detach 7 xvdb',
      command: plug('/dev/vg0/plug', none),
      answers: 'not-found',
    },
    { name: 'xl/block-attach', command: plug('/dev/vg0/plug'), answers: 'parsed' },
    { name: 'xl/list-long-plugged', command: xlDisks(), answers: 'parsed' },
    { name: 'xl/block-attach-name-taken', command: plug('/dev/vg0/blank'), answers: 'unknown' },
    {
      name: 'xl/block-detach',
      given: 'until grep -qs Connected /sys/bus/xen-backend/devices/vbd-7-51728/state; do sleep 0.5; done',
      command: unplug(),
      answers: 'parsed',
    },
    { name: 'xl/block-detach-missing', command: unplug(), answers: 'not-found' },
    { name: 'xl/block-detach-no-such', command: unplug(none), answers: 'not-found' },
    {
      name: 'xl/network-attach',
      given: 'ip link add xenbr9 type bridge; ip link set xenbr9 up',
      command: connect('xenbr9'),
      answers: 'parsed',
    },
    { name: 'xl/list-long-connected', command: xlInterfaces(), answers: 'parsed' },
    { name: 'xl/network-detach', command: disconnect(), answers: 'parsed' },
    { name: 'xl/network-detach-missing', command: disconnect(), answers: 'not-found' },
    { name: 'xl/network-detach-no-such', command: disconnect(none), answers: 'not-found' },
    { name: 'xl/network-attach-no-such', command: connect('xenbr9', none), answers: 'not-found' },
    { name: 'xl/network-attach-no-bridge', command: connect('nobr0'), answers: 'not-found' },
    { name: 'xl/list-long-refused', command: xlInterfaces(), answers: 'parsed' },
    {
      name: 'xl/block-detach-held',
      // A paused guest lets go of nothing.
      given: `
        xl network-detach 7 ${mac}
        xl block-attach 7 format=raw,vdev=xvdb,access=rw,target=/dev/vg0/plug >/dev/null 2>&1
        until grep -qs Connected /sys/bus/xen-backend/devices/vbd-7-51728/state; do sleep 0.5; done; xl pause web1`,
      command: unplug(),
      answers: 'busy',
    },
    { name: 'xl/list-long-held', command: xlDisks(), answers: 'parsed' },
    { name: 'xl/list-paused', given: 'xl pause web1', command: xlList(), answers: 'parsed' },
    {
      name: 'xl/shutdown',
      given: 'xl unpause web1; xl unpause web1',
      command: xlShutdown({ id: 7, timeoutMs: 60_000 }),
      answers: 'parsed',
    },
    {
      name: 'xl/list-crashed',
      // A kernel without a root panics, which ends the domain as crashed.
      given: `
        ${config('crashed', (text) =>
          text
            .replace(/^ramdisk.*\n/m, '')
            .replace('vg0/crashed', 'vg0/blank')
            .replace('panic=-1', 'panic=0')
            .replace('on_crash = "destroy"', 'on_crash = "preserve"'),
        )}
        xl create /etc/xen/crashed.cfg 'uuid="${other}"' >/dev/null 2>&1; ${until('crashed', '..*c.*')}`,
      command: xlList(),
      answers: 'parsed',
    },
    { name: 'xl/destroy', command: xlDestroy({ id: 10 }), answers: 'parsed' },
    { name: 'xl/destroy-no-such', command: xlDestroy({ id: none }), answers: 'not-found' },
    {
      name: 'xl/shutdown-no-such',
      command: xlShutdown({ id: none, timeoutMs: 60_000 }),
      answers: 'not-found',
    },
  ],
};
