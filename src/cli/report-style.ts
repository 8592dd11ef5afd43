/** Style of the report page: no fonts, images or scripts from elsewhere; light and dark; one column on a phone. */
export const STYLE = `
:root{
  color-scheme:light dark;--paper:#fbfaf7;--card:#fff;--ink:#1c1f26;--soft:#5d6470;--faint:#8b919c;--rule:#e4e2dc;
  --grid:#ecebe6;--s0:#7b8794;--s1:#0f766e;--s2:#b45309;--counts:#3f4c5f;--gap:#d9485f
}
@media(prefers-color-scheme:dark){:root{
  --paper:#121418;--card:#191c22;--ink:#e8e9ec;--soft:#a3a9b4;--faint:#7c828d;--rule:#2b3038;--grid:#262a32;
  --s0:#8f9bab;--s1:#2dd4bf;--s2:#f59e0b;--counts:#93a3bb;--gap:#fb7185
}}
*{box-sizing:border-box}
body{
  margin:0;background:var(--paper);color:var(--ink);
  font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
  -webkit-text-size-adjust:100%
}
main{max-width:1040px;margin:0 auto;padding:clamp(24px,5vw,64px) clamp(16px,4vw,40px) 80px}
header{margin-bottom:36px}
.mark-name{font-size:13px;letter-spacing:.14em;text-transform:uppercase;color:var(--faint);margin:0 0 14px}
h1{
  font:600 clamp(28px,4.6vw,44px)/1.12 Charter,"Iowan Old Style",Georgia,"Times New Roman",serif;
  letter-spacing:-.015em;margin:0 0 14px;max-width:22em;text-wrap:balance
}
h2{font:600 clamp(20px,2.6vw,25px)/1.2 Charter,"Iowan Old Style",Georgia,"Times New Roman",serif;margin:0 0 6px}
h3{font-size:14px;font-weight:600;margin:0 0 8px;color:var(--ink)}
p{margin:0 0 12px;max-width:66ch}
.name{white-space:nowrap}
.lede{font-size:clamp(16px,2vw,18.5px);color:var(--soft);max-width:60ch}
.note{color:var(--soft);font-size:15px}
section{border-top:1px solid var(--rule);padding-top:26px;margin-top:38px}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:18px;margin-top:18px}
.diagrams{grid-template-columns:repeat(auto-fit,minmax(min(100%,205px),1fr))}
figure{
  margin:0;background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:16px 16px 10px;min-width:0
}
figcaption{font-size:14px;color:var(--soft);margin-bottom:6px}
figcaption b{color:var(--ink);font-weight:600}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{
  font:11px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;fill:var(--soft);
  font-variant-numeric:tabular-nums
}
svg .title{fill:var(--faint)}
svg .value{font-size:10.5px;fill:var(--soft)}
.grid{stroke:var(--grid)}.base{stroke:var(--faint)}
.mark{stroke:var(--faint);stroke-dasharray:3 3}
.diagonal{stroke:var(--ink);stroke-dasharray:4 4;opacity:.6}
.bar.counts{fill:var(--counts)}
.bar.s0{fill:var(--s0)}.bar.s1{fill:var(--s1)}.bar.s2{fill:var(--s2)}
.pale{opacity:.4}
.gap{fill:var(--gap);fill-opacity:.16;stroke:var(--gap);stroke-opacity:.75;stroke-width:.8}
.line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
.line.s0,.dot.s0{stroke:var(--s0)}.line.s1,.dot.s1{stroke:var(--s1)}.line.s2,.dot.s2{stroke:var(--s2)}
.dot{fill:var(--card);stroke-width:1.8}
.legend{
  display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;margin:10px 0 0;padding:0;font-size:14px;color:var(--soft)
}
.legend li::before{
  content:"";display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:7px;vertical-align:-1px;
  background:currentColor
}
.legend .s0::before{background:var(--s0)}
.legend .s1::before{background:var(--s1)}
.legend .s2::before{background:var(--s2)}
.legend .gap::before{background:var(--gap);opacity:.45}
.scroll{overflow-x:auto;margin-top:18px;max-width:620px}
table{border-collapse:collapse;width:100%;font-size:15px;font-variant-numeric:tabular-nums}
th,td{padding:7px 0 7px 16px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th{font-weight:500;font-size:13px;color:var(--soft)}
tbody th,thead th:first-child{text-align:left;padding-left:0;white-space:normal}
tbody th{font-size:15px;font-weight:400;color:var(--ink)}
td.best{font-weight:700}
dl{display:grid;grid-template-columns:max-content 1fr;gap:6px 22px;font-size:15px;margin:16px 0}
dt{color:var(--soft)}dd{margin:0;min-width:0;overflow-wrap:anywhere}
pre{
  background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:12px 14px;overflow-x:auto;
  font:13.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;margin:10px 0
}
@media(max-width:520px){
  dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:10px}figure{padding:12px 10px 6px}
  svg text{font-size:13px}svg .value{font-size:12px}
  .diagrams svg{max-width:280px}.diagrams svg text{font-size:11px}
}
@media print{body{background:#fff}figure{break-inside:avoid}}
`.trim();
