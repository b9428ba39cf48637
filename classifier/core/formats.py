"""What FFmpeg may use to read files of unknown origin, and how some of these files begin."""

from __future__ import annotations

# FFmpeg's demuxer names. Left out on purpose: hls, dash, concat, sdp, rtsp, imf, image2, lavfi, devices, and
# every other format that refers to files or addresses.
FORMATS = (
    "wav,w64,aiff,au,caf,voc,ircam,mp3,aac,ac3,eac3,amr,flac,ogg,mov,matroska,asf,xwma,ape,wv,tta,tak,"
    "mpc,mpc8,dsf,qoa,avi,flv,mpegts,mpeg,truehd,dts"
)

DECODERS = (
    "mp1float,mp1,mp2float,mp2,mp3float,mp3,aac,aac_latm,alac,flac,vorbis,opus,speex,ac3,eac3,dca,truehd,mlp,"
    "amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,wmav1,wmav2,wmapro,wmalossless,wmavoice,ape,wavpack,"
    "tta,tak,mpc7,mpc8,als,qoa,dsd_lsbf,dsd_lsbf_planar,dsd_msbf,dsd_msbf_planar,gsm,gsm_ms,mace3,mace6,"
    "nellymoser,qdm2,g722,g726,pcm_alaw,pcm_mulaw,pcm_u8,pcm_s8,pcm_s8_planar,pcm_s16le,pcm_s16be,"
    "pcm_s16le_planar,pcm_s16be_planar,pcm_u16le,pcm_u16be,pcm_s24le,pcm_s24be,pcm_s24le_planar,pcm_u24le,"
    "pcm_u24be,pcm_s32le,pcm_s32be,pcm_s32le_planar,pcm_u32le,pcm_u32be,pcm_s64le,pcm_s64be,pcm_f16le,"
    "pcm_f24le,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,pcm_bluray,pcm_dvd,adpcm_ms,adpcm_ima_wav,"
    "adpcm_ima_qt,adpcm_yamaha,adpcm_swf"
)
KNOWN_DECODERS = frozenset(DECODERS.split(","))

OPEN_OPTIONS = {
    "format_whitelist": FORMATS,
    "codec_whitelist": DECODERS,
    "protocol_whitelist": "none",
    "probesize": str(2 * 2**20),
    "analyzeduration": "2000000",
    "max_streams": "64",
}

ASF_MAGIC = b"0&\xb2u"
MATROSKA_MAGIC = b"\x1aE\xdf\xa3"
MAGIC = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3", b"FORM", b".snd", b"caff", ASF_MAGIC, MATROSKA_MAGIC)

# GUIDs of the content encryption objects of an ASF header, in file order (ASF specification, section 10.2).
ASF_ENCRYPTION = (
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),
    bytes.fromhex("338505438169e6499b74ad12cb86d58c"),
)
ENCRYPTED_TAGS = frozenset({"drms", "enca", "aavd", "p7m "})
