# Anteroom as an image of one static program: no shell, no package, no root.
#
#     docker build -t anteroom .
#     docker run --read-only --cap-drop ALL -p 127.0.0.1:8080:8080 -v anteroom:/data anteroom

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
# The allocator is built by it.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends make
# Static glibc. The explicit --target keeps the flag away from procedural macros, which are loaded dynamically.
ENV RUSTFLAGS="-C target-feature=+crt-static"

# The dependencies, in a layer that lasts until Cargo.lock changes.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
RUN mkdir -p src tests/it benches \
 && echo 'fn main() {}' | tee src/main.rs tests/it/main.rs benches/bare.rs benches/raw_sqlite.rs > src/lib.rs \
 && cargo build --locked --profile dist --target host-tuple --bin anteroom \
 && rm -r src tests benches

# The program. `touch`, because cargo goes by time, and the files may be older than the stand-ins above. Packed relocations take a
# megabyte less.
COPY . .
RUN touch src/*.rs \
 && cargo rustc --locked --profile dist --target host-tuple --bin anteroom -- -C link-arg=-Wl,-z,pack-relative-relocs \
 && mv target/*-linux-gnu/dist/anteroom /anteroom \
 && mkdir /empty

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /anteroom /anteroom
COPY --from=build --chown=65532:65532 /empty /data
# SQLITE_TMPDIR: the one place that can be written when the rest is --read-only.
ENV ANTEROOM__SERVER__MODE=production \
    ANTEROOM__SERVER__BIND=0.0.0.0:8080 \
    ANTEROOM__SERVER__DATA_DIR=/data \
    SQLITE_TMPDIR=/data
USER 65532:65532
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["/anteroom", "healthcheck"]
ENTRYPOINT ["/anteroom"]
CMD ["serve"]
