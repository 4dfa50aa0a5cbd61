import { guest } from '../stage.ts';

export const root = `/dev/vg0/${guest}-root`;
export const config = `/etc/xen/${guest}.cfg`;
export const uuid = '5e1f0000-0000-4000-8000-00000000000b';
export const domain = '5e1f0000-0000-4000-8000-00000000000a';

export const makeVolume = `lvcreate --quiet -y -W y -L 64M -n ${guest}-root vg0`;
export const removeVolume = `lvremove -q -y vg0/${guest}-root`;
export const makeFilled = `${makeVolume} && mkfs.ext4 -q -U ${uuid} ${root}`;
export const makeGuest = `${makeFilled} && mkdir -p /run/rig-guest && mount ${root} /run/rig-guest && tar -x -f /srv/guest.tar -C /run/rig-guest && umount /run/rig-guest && printf '%s\\n' 'name = "${guest}"' 'uuid = "${domain}"' 'kernel = "/boot/guest-vmlinuz"' 'ramdisk = "/boot/guest-initrd"' 'memory = 96' 'disk = ["phy:${root},xvda,w"]' 'root = "/dev/xvda rw"' 'extra = "console=hvc0 panic=-1 quiet"' > ${config}`;
export const gone = `for n in $(seq 50); do xl list ${guest} >/dev/null 2>&1 || break; sleep 0.2; done`;
