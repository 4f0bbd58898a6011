"""The ceiling of single posts and reads: the same server (FastAPI, uvicorn, uvloop, httptools) with nothing behind it.

python -m benchmarks.empty_endpoint PORT
"""

import sys

import uvicorn
from fastapi import FastAPI, Request, Response

app = FastAPI(openapi_url=None)


@app.post("/v1/programs/{program}/events", status_code=201)
async def post_nothing(program: str, request: Request) -> Response:
    """Read the body and answer 201 with a small JSON."""
    await request.body()
    return Response(b'{"status":"recorded","program":"%s"}' % program.encode(), 201, media_type="application/json")


@app.get("/v1/programs/{program}/customers/{customer}")
async def read_nothing(program: str, customer: str) -> Response:
    """Answer 200 with a small JSON."""
    body = b'{"program":"%s","customer":"%s"}' % (program.encode(), customer.encode())
    return Response(body, media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        lifespan="off",
    )
