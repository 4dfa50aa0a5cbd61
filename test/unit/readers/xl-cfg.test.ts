import { guestConfig, parseConfig } from '../../../src/xen/index.ts';
import { readerTable, type Row } from './table.ts';

const read = (text: string) => guestConfig(parseConfig({ text, file: 'x.cfg' }));
const base = "name = 'a'\nmemory = 64\n";
const file = (more: string): string => `${base}${more}\n`;

const hda = {
  target: '/dev/vg/guest-volume',
  path: '/dev/vg/guest-volume',
  vdev: 'hda',
  access: 'rw',
  devtype: 'disk',
  format: 'raw',
};
const iso = { path: '/root/image.iso', vdev: 'hdc', access: 'ro', devtype: 'cdrom' };
const empty = { target: '', vdev: 'hdc', format: 'empty', devtype: 'cdrom' };
const iqn = 'iqn.2001-05.com.equallogic:0-8a0906-23fe93404-c8279-host';

const disk = (spec: string, expected: unknown): Row<string> => [
  `the disk ${spec}`,
  file(`disk = [ '${spec}' ]`),
  expected instanceof RegExp ? expected : { disks: [expected] },
];
const vif = (spec: string, expected: unknown): Row<string> => [
  `the vif ${spec || '(empty)'}`,
  file(`vif = [ '${spec}' ]`),
  expected instanceof RegExp ? expected : { vifs: [expected] },
];
const config = (what: string, text: string, expected: unknown): Row<string> => [what, text, expected];

readerTable('xl.cfg', read, [
  disk('/dev/vg/guest-volume,,hda', hda),
  disk('/dev/vg/guest-volume,raw,hda,rw', hda),
  disk('format=raw, vdev=hda, access=rw, target=/dev/vg/guest-volume', hda),
  disk('format=raw vdev=hda access=rw target=/dev/vg/guest-volume', /the disk.*unknown/),
  disk('raw:/dev/vg/guest-volume,hda,w', hda),
  disk('/root/image.iso,,hdc,cdrom', iso),
  disk('/root/image.iso,,hdc,,cdrom', iso),
  disk('/root/image.iso,raw,hdc,devtype=cdrom', iso),
  disk('format=raw, vdev=hdc, access=ro, devtype=cdrom, target=/root/image.iso', iso),
  disk('raw:/root/image.iso,hdc:cdrom,ro', iso),
  disk('backendtype=phy,vdev=xvdb,access=w,target=/dev/vg/guest-volume', { ...hda, vdev: 'xvdb' }),
  disk('devtype=cdrom,,,hdc', empty),
  disk(',,hdc:cdrom,r', empty),
  disk(',hdc:cdrom,r', empty),
  disk('vdev=hdc,access=r,devtype=cdrom,target=', empty),
  disk(',empty,hdc:cdrom,r', empty),
  disk('vdev=hdc,access=r,devtype=cdrom,format=empty', empty),
  disk('vdev=hdc,access=r,devtype=cdrom', empty),
  disk(`iscsi:${iqn},xvda,w`, { target: iqn, vdev: 'xvda', script: 'block-iscsi' }),
  disk(`vdev=xvda,access=w,script=block-iscsi,target=${iqn}`, { target: iqn, script: 'block-iscsi' }),
  disk('drbd:app01,hda,w', { target: 'app01', script: 'block-drbd' }),
  disk('vdev=xvda,discard,target=/a,b', { path: '/a,b' }),
  disk('trusted,vdev=xvda,target=/dev/x', { path: '/dev/x' }),
  disk('untrusted,grant_usage=1,vdev=xvda,target=/dev/x', { path: '/dev/x' }),
  disk('specification=virtio,vdev=sda,target=/dev/x', { path: '/dev/x' }),
  disk('vdev=xvda,target=/dev/x,', { path: '/dev/x' }),
  disk('foo', /it has no vdev/),
  disk('/dev/x,xvda,w', /unknown format xvda/),
  disk('/dev/x,,xvda,x', /unknown access x/),
  disk('/dev/x,,xvda,devtype=floppy', /unknown devtype floppy/),
  disk('vdev=xvda,vdev=xvdb,target=/x', /the vdev is given twice/),
  disk('bogus:/dev/x,xvda,w', /unknown prefix bogus:/),
  vif('', {}),
  vif('mac=00:16:3E:01:02:03,bridge=br0', { mac: '00:16:3e:01:02:03', bridge: 'br0' }),
  vif('mac=0:16:3e:0:0:1', { mac: '00:16:3e:00:00:01' }),
  vif('rate=16000000b/s@50ms', {}),
  vif('rate=2KB/s', {}),
  vif('rate=1GB/s', {}),
  vif('trusted', {}),
  vif('type=ioemu, model=e1000, vifname=a', {}),
  vif('foo', /expected key=value, found 'foo'/),
  vif('rate=10MB/m', /is not a rate/),
  vif('rate=10Mb/s@10h', /is not a rate/),
  vif('rate=4294967296b/s', /is not a rate/),
  vif('mac=0:0:1', /is not a MAC address/),
  vif('mac=00:16:3e:00:00:1ff', /is not a MAC address/),
  config('both kinds of quotes', 'name = "a"\nmemory = \'64\'\n', { name: 'a', memoryMiB: 64 }),
  config('a semicolon between settings', "name='a'; memory=64;\n", { name: 'a' }),
  config('comments', "# a\nname='a' # b\nmemory=64 # c\n", { name: 'a' }),
  config(
    'lists over several lines, with a comma at the end',
    file("disk = [\n 'phy:/dev/x,xvda,w',\n # root\n 'phy:/dev/y,xvdb,r',\n]"),
    { disks: [{ path: '/dev/x' }, { path: '/dev/y', access: 'ro' }] },
  ),
  config('a list that is added to', file("vif = ['bridge=a']\nvif += ['bridge=b']"), {
    vifs: [{ bridge: 'a' }, { bridge: 'b' }],
  }),
  config('a key twice, of which the last counts', file('memory = 128'), { memoryMiB: 128 }),
  config('a number in hexadecimal', "name='a'\nmemory=0x40\n", { memoryMiB: 64 }),
  config('a number in octal', "name='a'\nmemory=0100\n", { memoryMiB: 64 }),
  config('maxmem without memory', "name='a'\nmaxmem=64\n", { memoryMiB: 64 }),
  config('a key with a dot', file("vif.default.script='vif-openvswitch'"), { name: 'a' }),
  config(
    'keys that bofh does not use',
    file("on_poweroff='destroy'\nextra='console=hvc0 root=/dev/xvda'\ncpus='0-3,^1'"),
    { vcpus: 1 },
  ),
  config('the old builder', file("builder='hvm'"), { type: 'hvm' }),
  config('escapes in a string', file('kernel="/boot/a\\"b"'), { kernel: '/boot/a"b' }),
  config('no newline at the end', "name='a'\nmemory=64", { name: 'a' }),
  config('nothing', '', /x\.cfg: expected name/),
  config('an end of DOS', "name='a'\r\nmemory=64\r\n", /x\.cfg:1: a carriage return/),
  config('Python', "name='a'\nmemory=64\nvif=[('a')]\n", /x\.cfg:3: "\(" outside quotes.*not Python/),
  config('a string that does not end', "name='a\nmemory=64\n", /x\.cfg:1: expected a closing '/),
  config('a key in capitals', "NAME='a'\n", /x\.cfg:1: "N" outside quotes/),
  config('no value', 'name=\nmemory=64\n', /x\.cfg:1: expected a quoted string, a number or a list/),
  config('a list that does not end', file("disk = ['phy:/dev/x,xvda,w'"), /x\.cfg:4: expected/),
  config('a list without a comma', file("disk = ['a' 'b']"), /x\.cfg:3: expected "," or "]"/),
  config(
    'a memory that is no number',
    "name='a'\nmemory='64M'\n",
    /x\.cfg:2: expected a whole number above 0/,
  ),
  config(
    'a comment without a newline at the end',
    `${base}# a`,
    /x\.cfg:3: the comment in the last line needs a newline/,
  ),
  config('a numeric escape', "name='\\x41'\nmemory=1\n", /x\.cfg:1: xl misreads numeric escapes/),
  config('a name that ends in a blank', "name='a '\nmemory=1\n", /x\.cfg:1: expected a name without a blank/),
]);
