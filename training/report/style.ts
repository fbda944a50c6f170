/** The report's style sheet: one palette for light, one for dark; no font, image or script from elsewhere. */
export const REPORT_STYLE = `
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1a1f2b;--quiet:#5d6779;--line:#e3e7ee;--grid:#edf0f4;
--accent:#2563d9;--accent-soft:#2563d926;--warm:#c2570c;--grey:#8b95a7;--grey-soft:#8b95a740;--warn-page:#fff7e6;--warn-line:#f0c36d}
@media (prefers-color-scheme:dark){:root{--page:#0f131a;--card:#171c25;--ink:#e6eaf1;--quiet:#98a3b5;--line:#2a3240;--grid:#222936;
--accent:#6ea0ff;--accent-soft:#6ea0ff33;--warm:#ffa25c;--grey:#8390a5;--grey-soft:#8390a545;--warn-page:#2a2212;--warn-line:#7a5b1c}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1120px;margin:0 auto;padding:40px 20px 56px}
header p{margin:0;color:var(--quiet);overflow-wrap:anywhere}
h1{font-size:30px;line-height:1.2;letter-spacing:-.015em;margin:0 0 6px;overflow-wrap:anywhere}
h2{font-size:20px;letter-spacing:-.01em;margin:44px 0 14px}
h3{font-size:16px;margin:26px 0 10px}h4{font-size:15px;margin:0 0 6px}figure h3{margin:0 0 6px}
h2+p{margin:-8px 0 14px;color:var(--quiet);max-width:75ch}
small,.quiet{color:var(--quiet);font-weight:400}small{font-size:13px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin:0 0 16px}
.scroll{overflow-x:auto}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:16px}.pair>*{margin:0;min-width:0}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin:24px 0 0;padding:0;list-style:none}
.tiles li{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.tiles li{flex:1 1 132px}.tiles .task{flex:2 1 250px}
.tiles b{display:block;white-space:nowrap;font-size:22px;line-height:1.3;font-weight:650;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
.tiles span{display:block;font-size:13px;color:var(--quiet)}
dl.facts{display:flex;flex-wrap:wrap;gap:4px 24px;margin:16px 0 0;font-size:14px}dl.facts div{display:flex;gap:6px;min-width:0}
dl.facts dt{color:var(--quiet)}dl.facts dd{margin:0;overflow-wrap:anywhere}
.warnings{background:var(--warn-page);border:1px solid var(--warn-line);border-radius:10px;padding:14px 20px;margin:20px 0 0}
.warnings h2{font-size:15px;margin:0 0 4px;letter-spacing:0}.warnings ul{margin:0;padding-left:20px}.warnings li{overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--quiet);padding:4px 0}
th,td{padding:6px 12px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap;font-weight:400}
th:first-child,td:first-child{text-align:left;padding-left:0}
thead th{color:var(--quiet);font-size:13px}tbody tr:last-child>*{border-bottom:0}
tbody th{white-space:normal;overflow-wrap:anywhere;min-width:130px}
.metrics tbody th{font-weight:600}.metrics tbody th small{display:block}
.metrics thead tr+tr th{text-align:right;padding-left:12px}.metrics .first{padding-left:40px}
.metrics thead tr:first-child th{text-align:center;padding-left:40px;color:var(--ink);font-size:15px;font-weight:600;border-bottom:0}
.metrics td.calibrated{font-weight:600}
.bars th:first-child{max-width:320px;min-width:110px}.bars .wide{width:45%;min-width:180px;padding-right:0}
.bar{position:relative;height:16px;border-radius:4px;background:var(--grid)}
.bar .fill{position:absolute;left:0;top:0;bottom:0;border-radius:4px;background:var(--accent)}
.importance .fill{opacity:.5}
.bar .whisker{position:absolute;top:7px;height:2px;background:var(--ink)}
.bar .whisker::before,.bar .whisker::after{content:"";position:absolute;top:-3px;width:2px;height:8px;background:var(--ink)}
.bar .whisker::before{left:0}.bar .whisker::after{right:0}
.bar .marker{position:absolute;top:-3px;bottom:-3px;width:2px;background:var(--ink)}
svg{display:block;width:100%;height:auto}
.long svg{min-width:620px}
svg text{fill:var(--quiet);font-size:12.5px;font-family:inherit}svg .name{fill:var(--ink)}
.grid line{stroke:var(--grid)}.axis line{stroke:var(--line)}
path{fill:none;stroke-width:2;stroke-linejoin:round}
path.train{stroke:var(--grey);stroke-width:1.5}path.valid{stroke:var(--accent);stroke-width:2.5}circle.valid{fill:var(--accent)}
line.constant{stroke:var(--warm);stroke-width:1.5;stroke-dasharray:6 4}line.kept{stroke:var(--ink);stroke-dasharray:2 3;opacity:.6}
line.diagonal{stroke:var(--grey);stroke-dasharray:5 4}
g.raw line{stroke:var(--warm);opacity:.6}g.raw circle{fill:var(--card);stroke:var(--warm);stroke-width:1.8}
g.calibrated line{stroke:var(--accent);opacity:.6}g.calibrated circle{fill:var(--accent)}
path.negative{fill:var(--grey-soft);stroke:var(--grey);stroke-width:1.5}path.positive{fill:var(--accent-soft);stroke:var(--accent)}
.legend{display:flex;flex-wrap:wrap;gap:2px 18px;list-style:none;margin:0 0 8px;padding:0;font-size:13px;color:var(--quiet)}
.legend li{display:flex;align-items:center;gap:7px}
.key{display:inline-block;width:18px;height:0;border-top:2px solid var(--grey)}
.key.valid{border-top:3px solid var(--accent)}.key.constant{border-top:2px dashed var(--warm)}.key.kept{border-top:2px dotted var(--ink)}
.key.diagonal{border-top:2px dashed var(--grey)}
.key.raw,.key.calibrated{width:10px;height:10px;border-radius:50%;border:2px solid var(--warm)}
.key.calibrated{border-color:var(--accent);background:var(--accent)}
.key.positive,.key.negative{width:14px;height:12px;border:2px solid var(--accent);background:var(--accent-soft);border-radius:3px}
.key.negative{border-color:var(--grey);background:var(--grey-soft)}
details{margin-top:10px;font-size:14px}summary{cursor:pointer;color:var(--quiet);width:max-content}summary:hover{color:var(--ink)}
abbr{text-decoration:none}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
footer{margin-top:44px;padding-top:16px;border-top:1px solid var(--line);color:var(--quiet);font-size:13px;max-width:90ch}
@media (max-width:640px){main{padding:24px 14px 40px}.card{padding:14px}.metrics tbody th small{display:none}.metrics .first{padding-left:16px}th,td{padding:6px 8px}.bars .wide{min-width:120px}}
@media print{body{background:#fff}.card,.tiles li{break-inside:avoid}}
`;
