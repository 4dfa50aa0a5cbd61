const count = 1000;

/**
 * Shell commands that make the group vg1000 with a thousand volumes of one extent, at once: their
 * metadata is written and restored, because a thousand calls of lvcreate take half an hour.
 */
export const vg1000 = `set -e
truncate -s 5G /root/vg1000.img
disk=$(losetup --find --show /root/vg1000.img)
vgcreate -qq --metadatasize 8m vg1000 "$disk"
vgcfgbackup -qq -f /root/vg1000.txt vg1000
id() { printf 'v%05d-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa' "$1"; }
{
  # The group ends with the second line that is only a brace; the volumes go before it.
  head -n "$(($(grep -n '^}' /root/vg1000.txt | head -n 1 | cut -d : -f 1) - 1))" /root/vg1000.txt
  echo 'logical_volumes {'
  n=0
  while [ $n -lt ${String(count)} ]; do
    printf 'v%s {\\nid = "%s"\\nstatus = ["READ", "WRITE", "VISIBLE"]\\nflags = []\\ncreation_time = 1700000000\\ncreation_host = "bench"\\nsegment_count = 1\\nsegment1 {\\nstart_extent = 0\\nextent_count = 1\\ntype = "striped"\\nstripe_count = 1\\nstripes = ["pv0", %s]\\n}\\n}\\n' $n "$(id $n)" $n
    n=$((n + 1))
  done
  echo '}'
  tail -n "+$(grep -n '^}' /root/vg1000.txt | head -n 1 | cut -d : -f 1)" /root/vg1000.txt
} > /root/vg1000.new
vgcfgrestore -qq -f /root/vg1000.new vg1000
[ "$(lvs --noheadings vg1000 | wc -l)" = ${String(count)} ]`;
