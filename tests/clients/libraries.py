"""The libraries under the commands, as other services use them: libraries.py URL FILE ID

ID is an active image that holds FILE. It runs with the python that has openstacksdk and glanceclient.
"""

import hashlib
import sys
import warnings

import openstack
from glanceclient import client

warnings.simplefilter("ignore")


def openstacksdk(url, file, data):
    """From creation to deletion, as Ansible's modules and Zuul's launchers go through it."""
    image_api = openstack.connect(auth_type="none", endpoint=url, image_endpoint_override=url).image
    image = image_api.create_image(
        "sdk", filename=file, disk_format="iso", container_format="bare", wait=True, site="one",
    )
    shown = image_api.get_image(image)
    assert (shown.status, shown.size) == ("active", len(data)), shown
    assert shown.properties["site"] == "one", shown.properties
    assert image_api.download_image(image).content == data
    chunks = image_api.download_image(image, stream=True).iter_content(1 << 20)
    assert b"".join(chunks) == data

    assert image_api.update_image(image, name="sdk2", min_ram=7).min_ram == 7
    assert image_api.find_image("sdk2").id == image.id
    image_api.add_tag(image, "tested")
    assert image_api.get_image(image).tags == ["tested"]
    image_api.add_member(image, member_id="a" * 32)
    image_api.update_member("a" * 32, image, status="accepted")
    assert [member.status for member in image_api.members(image)] == ["accepted"]
    image_api.remove_member("a" * 32, image)

    cached = {row.image_id for row in image_api.get_image_cache().cached_images}
    assert image.id in cached, cached
    image_api.cache_delete_image(image)
    image_api.delete_image(image)
    assert image_api.find_image("sdk2") is None


def nova(url, data, image_id):
    """As Nova and Cinder fetch an image: the hash of what comes must be the one that is shown."""
    glance = client.Client("2", url, token="none")
    image = glance.images.get(image_id)
    chunks = glance.images.data(image_id, do_checksum=True)
    digest = hashlib.new(image.os_hash_algo)
    for chunk in chunks:
        digest.update(chunk)
    assert digest.hexdigest() == image.os_hash_value
    assert digest.digest() == hashlib.new(image.os_hash_algo, data).digest()
    ids = [shown.id for shown in glance.images.list(page_size=1)]
    assert image_id in ids and len(set(ids)) == len(ids), ids


def main(url, file, image_id):
    with open(file, "rb") as opened:
        data = opened.read()
    openstacksdk(url, file, data)
    nova(url, data, image_id)
    print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
